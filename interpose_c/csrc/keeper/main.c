/* hpool-keeper SPEC_FD CONTROL_FD ROOT_FD: starts PID 1 of a job and outlives it.
 *
 * This process stays outside the job's PID namespace: it makes the namespaces,
 * waits, and tidies up what is outside (control groups). Its death, however,
 * ends the job at once. The protocol is in KEEPER.md.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LATER_TASKS 32 /* threads the starter may still start, this process, PID 1 */

/* Where memory runs out, the machine's owner keeps his: the job goes first. A
 * hostile one can take that back (only root could lock it); the bound is memory's. */
static void volunteer_for_the_oom_killer(void)
{
	HP_AUTO_CLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	bool set = fd >= 0 && write(fd, "1000", 4) == 4;
	hp_protection("oom_first", set, set ? NULL : strerrorname_np(errno));
}

static uint64_t tasks_of(pid_t process)
{
	char path[32];
	struct stat tasks;
	snprintf(path, sizeof path, "/proc/%d/task", (int)process);
	return stat(path, &tasks) ? 64 : tasks.st_nlink; /* two more than threads */
}

static uint64_t bytes_of(int root)
{
	struct statfs mirror;
	return fstatfs(root, &mirror) ? 0 : (uint64_t)mirror.f_blocks * (uint64_t)mirror.f_bsize;
}

static int descriptor(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || fd < 3 || fcntl((int)fd, F_SETFD, FD_CLOEXEC)) {
		fprintf(stderr, "hpool-keeper: %s is not an open descriptor\n", text);
		exit(125);
	}
	return (int)fd;
}

static _Noreturn void supervise(pid_t init, struct hp_cgroup *cgroup)
{
	/* Whoever reads the job's output must see its end, not ours; nor may
	 * we keep the control socket open when PID 1 is gone. */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	while (waitpid(init, NULL, 0) < 0 && errno == EINTR)
		;
	hp_cgroup_destroy(cgroup);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct hp_spec spec;
	struct hp_cgroup cgroup;
	int alive[2];
	if (argc > 1 && !strcmp(argv[1], "dump"))
		return hp_dump_main(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "suspend"))
		return hp_suspend_main(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "features"))
		return hp_features_main(argc, argv);
	if (argc != 4) {
		fputs("usage: hpool-keeper SPEC_FD CONTROL_FD ROOT_FD (started by hpool itself)\n", stderr);
		return 125;
	}
	int spec_fd = descriptor(argv[1]), control = descriptor(argv[2]), root = descriptor(argv[3]);
	hp_control_open(control);
	int failed = hp_spec_read(&spec, spec_fd);
	if (failed)
		hp_die(-failed, "reading the spec");
	setsid(); /* a Ctrl-C at the starter's terminal is not for us */
	signal(SIGPIPE, SIG_IGN);
	volunteer_for_the_oom_killer();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, "hpool-keeper", 0, 0, 0);

	struct hp_init init = { .spec = &spec, .cgroup = &cgroup, .others = tasks_of(getppid()) + LATER_TASKS };
	init.starter = (int)syscall(SYS_pidfd_open, getppid(), 0);
	/* Cloned here: in its own mount namespace PID 1 could no longer. */
	init.root = open_tree(root, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (init.root < 0)
		hp_die(errno, "taking the mirror");
	if (pipe2(alive, O_CLOEXEC))
		hp_die(errno, "pipe");
	init.alive = alive[0];
	init.hold[0] = init.hold[1] = -1;
	if (spec.faults >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, init.hold))
		hp_die(errno, "socketpair");
	init.mirror_bytes = bytes_of(root);
	/* What the job writes into the mirror is charged to its group too. */
	uint64_t memory_bytes = spec.memory_bytes ? spec.memory_bytes + init.mirror_bytes : 0;
	hp_cgroup_create(&cgroup, memory_bytes, spec.max_processes);

	unsigned long namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
	if (!spec.network_host)
		namespaces |= CLONE_NEWNET;
	long child = syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);
	if (child < 0)
		failed = errno, hp_cgroup_destroy(&cgroup), hp_die(failed, "making namespaces");
	if (child == 0) {
		close(alive[1]);
		hp_init_run(&init);
	}
	close(control);
	close(alive[0]);
	for (unsigned n = 0; n < 2; n++)
		close(spec.restore[n]);
	supervise((pid_t)child, &cgroup);
}
