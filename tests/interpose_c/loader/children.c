/* Every way to a child: what it shares, what it returns, and that its calls still work. */
#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/stat.h>
#include "tell.h"

extern char **environ;
static volatile int shared;

/* Calls of several kinds, each often enough to be rewritten. */
static int works(void)
{
	struct stat status;
	int good = 1;

	for (int i = 0; i < 5; i++) {
		int fd = open("/etc/passwd", O_RDONLY);
		char byte;

		good &= fd >= 0 && read(fd, &byte, 1) == 1 && stat("/", &status) == 0 && close(fd) == 0 && getpid() > 0;
	}
	return good;
}

static int entry(void *argument)
{
	shared += (int)(long)argument;
	return works() ? 40 : 41;
}

static void vforks(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		pid_t inner;

		shared = 1;
		if (!works())
			_exit(1);
		inner = vfork();
		if (inner == 0) {
			shared += 10;
			_exit(works() ? 3 : 1);
		}
		waitpid(inner, NULL, 0);
		inner = vfork();
		if (inner == 0) {
			execl("/bin/sh", "sh", "-c", "exit 9", NULL);
			_exit(1);
		}
		shared += 100;
		inner = fork();
		if (inner == 0) {
			shared = 0;
			_exit(works() ? 0 : 1);
		}
		waitpid(inner, NULL, 0);
		execl("/no/such/program", "x", NULL);
		_exit(errno == ENOENT ? 4 : 1);
	}
	tell_end("vfork", pid);
	printf("shared %d\n", shared);
}

static void spawns(void)
{
	char *argv[] = { "sh", "-c", "kill -0 $$; echo \"spawned ${X-unset}\"; exit 8", NULL }, *empty[] = { NULL };
	char *many[5003];
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t actions;
	sigset_t all;
	int failed;
	pid_t pid;

	for (int round = 0; round < 3; round++) {
		failed = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
		tell_end("spawn", pid);
		TELL(failed);
	}
	TELL(posix_spawn(&pid, "/no/such/program", NULL, NULL, argv, environ));
	TELL(posix_spawn(&pid, "/etc/passwd", NULL, NULL, argv, environ));
	TELL(posix_spawn(&pid, "/", NULL, NULL, argv, environ));
	failed = posix_spawnp(&pid, "sh", NULL, NULL, argv, empty);
	tell_end("empty environment", pid);
	TELL(failed);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attributes, &all);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 5, "/etc/passwd", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, 1, 7);
	argv[2] = "read x <&5; echo ${x%%:*} >&7; grep SigBlk /proc/self/status >&7";
	failed = posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, environ);
	tell_end("attributes", pid);
	TELL(failed);
	many[0] = "sh";
	many[1] = "-c";
	many[2] = "echo $# $0 ${4999}; exit 2";
	for (int i = 3; i < 5002; i++)
		many[i] = i == 5001 ? "last" : "an argument of some length";
	many[5002] = NULL;
	failed = posix_spawn(&pid, "/bin/sh", NULL, NULL, many, environ);
	tell_end("many", pid);
	TELL(failed);
}

static void clones(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid;
	int pidfd = -1;

	shared = 0;
	pid = clone(entry, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)5);
	tell_end("clone(VM|VFORK)", pid);
	pid = clone(entry, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)50);
	tell_end("clone(VM)", pid);
	pid = clone(entry, stack + sizeof stack, SIGCHLD, (void *)500);
	tell_end("clone()", pid);
	pid = clone(entry, stack + sizeof stack, CLONE_VM | CLONE_SIGHAND | SIGCHLD, (void *)1);
	tell_end("clone(VM|SIGHAND)", pid);
	printf("shared %d\n", shared);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0)
		_exit(works() ? 30 : 31);
	tell_end("clone3", pid);
	args.flags = CLONE_PIDFD;
	args.pidfd = (unsigned long)&pidfd;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0)
		_exit(works() ? 32 : 31);
	tell_end("clone3 pidfd", pid);
	CHECK(pidfd >= 0);
	args.flags = 1ul << 63;
	TELL(syscall(SYS_clone3, &args, sizeof args));
	TELL(syscall(SYS_clone3, &args, 8));
	TELL(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
	pid = (pid_t)syscall(SYS_fork);
	if (pid == 0)
		_exit(works() ? 33 : 31);
	tell_end("raw fork", pid);
}

int main(void)
{
	FILE *stream;
	char line[100];

	for (int round = 0; round < 3; round++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(works() ? 6 : 1);
		tell_end("fork", pid);
		vforks();
	}
	spawns();
	clones();
	TELL(system("echo system; exit 3"));
	stream = popen("echo popen; cat /no/such/file 2>/dev/null", "r");
	while (fgets(line, sizeof line, stream))
		printf("%s", line);
	TELL(pclose(stream));
	CHECK(works());
	return 0;
}
