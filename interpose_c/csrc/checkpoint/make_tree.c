/* The job's processes, made again: same numbers, parents, sessions, groups.
 *
 * Runs in the job's world, already confined. The maker's children become PID 1's (CLONE_PARENT).
 * Each process makes its own children: those who stayed in the old session before setsid, the others
 * after (births.c). Leaders that are gone are played by a process that ends again.
 */
#include "restore.h"
#include "births.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define HIGHEST_FREE 31000 /* below those of the restorer and the maker */

static const struct hp_image *image;
static struct hp_birth *births; /* of all processes */
static unsigned count;
static _Noreturn void become(unsigned number);

static const struct hp_image_process *process_at(unsigned number)
{
	return image->of[HP_R_PROCESS][number];
}

static int wait_for(pid_t pid, int options)
{
	siginfo_t info;
	int failed;
	do
		failed = waitid(P_PID, (id_t)pid, &info, options);
	while (failed && errno == EINTR);
	return failed;
}

/* One number for each, as more than one may be there at once. */
static pid_t go_between(unsigned number)
{
	pid_t pid = HIGHEST_FREE;
	for (unsigned n = 0; n <= number; n++)
		pid = hp_image_free_pid(image, pid);
	return pid;
}

/* Who lost its parent: a child of somebody who ends, in our session. */
static void make_orphan(unsigned number)
{
	pid_t between = hp_together_fork(go_between(number), SIGCHLD);
	if (between) {
		(void)wait_for(between, WEXITED);
		return;
	}
	if (hp_together_fork(process_at(number)->pid, SIGCHLD) == 0)
		become(number);
	_exit(0);
}

/* A session whose leader is gone: somebody plays it, makes who is left of it, and ends. */
static void play_leader(pid_t parent, pid_t session, int flags)
{
	pid_t leader = hp_together_fork(session, flags);
	if (leader == 0) {
		setsid();
		for (unsigned n = 0; n < count; n++) {
			if (!births[n].adopted || births[n].session != session)
				continue;
			if (births[n].ppid != parent)
				make_orphan(n);
			else if (hp_together_fork(births[n].pid, CLONE_PARENT | SIGCHLD) == 0)
				become(n);
		}
		_exit(0);
	}
	if (parent != 1)
		(void)wait_for(leader, WEXITED);
}

static bool played_before(unsigned number)
{
	for (unsigned n = 0; n < number; n++)
		if (births[n].adopted && births[n].session == births[number].session)
			return true;
	return false;
}

/* Its own, who are born in this session; `anywhere`: and those who found one of their own. */
static void make_children(pid_t parent, pid_t session, bool anywhere)
{
	for (unsigned n = 0; n < count; n++) {
		const struct hp_birth *birth = &births[n];
		if (birth->ppid != parent || birth->adopted || (birth->session ? birth->session != session : !anywhere))
			continue;
		int flags = parent == 1 ? CLONE_PARENT | SIGCHLD : process_at(n)->exit_signal & 0xff;
		if (hp_together_fork(birth->pid, flags) == 0)
			become(n);
	}
}

/* Sessions without a leader whose members are ours, or come to us. */
static void make_leaderless(pid_t parent)
{
	for (unsigned n = 0; n < count; n++)
		if (births[n].adopted && !hp_birth_find(births, count, births[n].session) && !played_before(n) &&
		    hp_birth_home(births, count, births[n].session) == parent)
			play_leader(parent, births[n].session, parent == 1 ? CLONE_PARENT | SIGCHLD : SIGCHLD);
}

static void make_orphans(pid_t session)
{
	for (unsigned n = 0; n < count; n++)
		if (births[n].adopted && births[n].session == session)
			make_orphan(n);
}

static bool is_first_of_group(unsigned number)
{
	const struct hp_image_process *process = process_at(number);
	if (process->pgid == HP_FIRST_SESSION || hp_image_process(image, process->pgid))
		return false;
	for (unsigned n = 0; n < number; n++)
		if (process_at(n)->pgid == process->pgid)
			return false;
	return true;
}

/* Its own group, or one whose leader is gone: the first of its members makes it. */
static void found_group(unsigned number)
{
	const struct hp_image_process *process = process_at(number);
	if (process->pgid == process->pid && process->sid != process->pid && setpgid(0, 0))
		hp_together_fail(errno, "process group %d", (int)process->pgid);
	/* the session's own number is a group's too, as long as anybody is in the session */
	if (!is_first_of_group(number) || process->pgid == getpgrp())
		return;
	pid_t leader = hp_together_fork(process->pgid, SIGCHLD);
	if (leader == 0) {
		setpgid(0, 0);
		kill(getpid(), SIGSTOP); /* raise() believes in the number of whoever cloned us */
		_exit(0);
	}
	(void)wait_for(leader, WSTOPPED);
	if (setpgid(0, process->pgid))
		hp_together_fail(errno, "process group %d", (int)process->pgid);
	kill(leader, SIGKILL);
	(void)wait_for(leader, WEXITED);
}

static void take_terminal(const struct hp_image_process *process)
{
	char path[32];
	if (!process->tty || process->sid != process->pid)
		return;
	snprintf(path, sizeof path, "/dev/pts/%d", process->tty_index);
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0))
		hp_together_fail(errno, "taking terminal %d", process->tty_index);
	close(fd);
}

static void give_foreground(const struct hp_image_process *process)
{
	char path[32];
	if (!process->tty || process->sid != process->pid || process->tty_foreground <= 0)
		return;
	snprintf(path, sizeof path, "/dev/pts/%d", process->tty_index);
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		(void)tcsetpgrp(fd, process->tty_foreground);
	close(fd);
}

static _Noreturn void end_as(const struct hp_image_process *process)
{
	int status = process->wait_status;
	struct rlimit none = { 0, 0 };
	sigset_t all;
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* or nobody can read its status, the next dumper neither */
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	sigfillset(&all);
	kill(getpid(), WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	_exit(125);
}

/* Births and deaths of the making are not for the job to hear of. */
static void forget_signals(void)
{
	const struct timespec now = { 0, 0 };
	sigset_t all;
	sigfillset(&all);
	while (sigtimedwait(&all, NULL, &now) > 0)
		;
}

static void wait_for_ended_children(const struct hp_image_process *process)
{
	for (unsigned n = 0; n < count; n++)
		if (process_at(n)->ppid == process->pid && process_at(n)->state == HP_P_ZOMBIE)
			(void)wait_for(process_at(n)->pid, WEXITED | WNOWAIT | __WALL);
}

/* One that has lost its name is nowhere: any other will do. */
static void enter_directory(const struct hp_image_process *process)
{
	char gone[] = "/tmp/.hpool-XXXXXX";
	const char *cwd = (const char *)(process + 1) + process->auxv_bytes;
	if (process->flags & HP_P_CWD_GONE) {
		cwd = mkdtemp(gone);
		if (cwd == NULL || chdir(cwd) || rmdir(cwd))
			hp_together_fail(errno, "a directory without a name");
		return;
	}
	hp_home_enter(cwd);
	if (chdir(cwd))
		hp_together_fail(errno, "directory %.150s", cwd);
}

static _Noreturn void become(unsigned number)
{
	const struct hp_image_process *process = process_at(number);
	char *const argv[] = { (char *)"hpool:/", (char *)"hpool", NULL }, *const envp[] = { NULL };
	if (births[number].reaps_early)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (process->sid == process->pid) {
		make_children(process->pid, births[number].session, false);
		setsid();
	}
	make_children(process->pid, process->sid, true);
	make_leaderless(process->pid);
	if (process->sid == process->pid)
		make_orphans(process->sid);
	take_terminal(process);
	found_group(number);
	hp_together_add(&hp_together->grouped);
	hp_together_await(&hp_together->grouped, count);
	if (getpgrp() != process->pgid && setpgid(0, process->pgid))
		hp_together_fail(errno, "process group %d", (int)process->pgid);
	hp_together_add(&hp_together->born);
	if (process->state == HP_P_ZOMBIE)
		end_as(process);
	hp_together_await(&hp_together->born, count);
	give_foreground(process);
	enter_directory(process);
	hp_place_files(image, process);
	umask(process->umask);
	if (process->personality && personality(process->personality) == -1)
		hp_together_fail(errno, "personality");
	if (process->flags & HP_P_SUBREAPER)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	wait_for_ended_children(process);
	forget_signals();
	hp_together_add(&hp_together->placed);
	hp_together_await(&hp_together->go[number], 1);
	execve(HP_LOADER, argv, envp);
	hp_together_fail(errno, "executing the loader");
}

static void plan_births(void)
{
	count = image->count[HP_R_PROCESS];
	births = calloc(count, sizeof *births);
	if (births == NULL)
		hp_together_fail(ENOMEM, "making processes");
	for (unsigned n = 0; n < count; n++) {
		const struct hp_image_process *process = process_at(n);
		births[n] = (struct hp_birth){ .pid = process->pid,
					       .ppid = process->ppid,
					       .sid = process->sid,
					       .reaps = process->flags & HP_P_SUBREAPER };
	}
	pid_t stray = hp_births_plan(births, count);
	if (stray)
		hp_together_fail(EBADMSG, "the session of process %d", (int)stray);
}

_Noreturn void hp_make_tree(const struct hp_image *of, const struct hp_faults *faults)
{
	image = of;
	struct rlimit most;
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	if ((rlim_t)hp_fd_last(image) >= most.rlim_cur)
		hp_together_fail(EMFILE, "the job's descriptors");
	/* What PID 1 has may have any number: it would be taken for what is made at the high ones. */
	hp_inet_move_above(hp_fd_last(image));
	hp_keep_terminal(hp_fd_last(image));
	hp_lazy_inherit(faults, hp_fd_last(image));
	syscall(SYS_close_range, 3, hp_fd_last(image), 0);
	umask(0);
	hp_make_names(image);
	hp_make_files(image);
	hp_make_mapped(image);
	plan_births();
	make_children(1, HP_FIRST_SESSION, true);
	make_leaderless(1);
	hp_together_await(&hp_together->born, count);
	_exit(0);
}
