/* clone and clone3 with the flags a libc or a runtime uses, and with those it may be refused: what is shared, what not. */
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include "sig.h"

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

static char stack[4][65536] __attribute__((aligned(16)));
static volatile int shared, handled;
static volatile uint32_t tid_word;

static void handler(int number)
{
	(void)number;
	handled++;
}

/* Uses calls of all kinds; the number tells whose memory it was. */
static int child(void *arg)
{
	struct stat st;
	int fd = open("small.txt", O_RDONLY);
	shared += 1 + (stat("dir/a", &st) == 0) + (fd >= 0);
	if (arg)
		chdir(arg);
	return fd >= 0 ? 20 + fcntl(fd, F_GETFD) : 1;
}

static int opened;
static int opens(void *arg)
{
	(void)arg;
	opened = open("dir/b", O_RDONLY);
	return opened >= 0 ? 2 : 3;
}

static int by_own_handler(void *arg)
{
	(void)arg;
	signal(SIGUSR1, SIG_IGN);
	return 4;
}

static pid_t make(int (*body)(void *), int flags, void *arg)
{
	shared = 0;
	return clone(body, stack[0] + sizeof(stack[0]), flags, arg, &tid_word, NULL, &tid_word);
}

static const char *disposition(int number)
{
	struct sigaction now;
	sigaction(number, NULL, &now);
	return now.sa_handler == SIG_DFL ? "default" : now.sa_handler == SIG_IGN ? "ignored" : "handled";
}

static long clone3(struct clone_args *args, size_t size)
{
	return syscall(SYS_clone3, args, size);
}

static void three(const char *what, struct clone_args args)
{
	long pid = clone3(&args, sizeof(args));
	if (pid == 0) {
		struct stat st;
		_exit(stat("small.txt", &st) == 0 ? 30 : 31);
	}
	if (pid < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		show_wait(what, pid);
}

/* A process in the same memory, with thread-local storage of its own. */
static char fake_tls[4096] __attribute__((aligned(64)));
static int with_tls(void *arg)
{
	unsigned long self;
	(void)arg;
	__asm__("mov %%fs:0, %0" : "=r"(self));
	shared = self == (unsigned long)fake_tls + 2048 ? 5 : 6;
	return (int)syscall(SYS_getpgid, 0) > 0 ? 7 : 8;
}

int main(void)
{
	char where[4096];
	on(SIGUSR1, handler, 0);
	signal(SIGUSR2, SIG_IGN);
	show_wait("memory", make(child, CLONE_VM | SIGCHLD, NULL));
	printf("%d\n", shared);
	show_wait("nothing", make(child, SIGCHLD, NULL));
	printf("%d\n", shared);
	show_wait("memory, files", make(opens, CLONE_VM | CLONE_FILES | SIGCHLD, NULL));
	YES(opened >= 0 && fcntl(opened, F_GETFD) >= 0);
	close(opened);
	show_wait("memory, not files", make(opens, CLONE_VM | SIGCHLD, NULL));
	YES(fcntl(opened, F_GETFD) < 0);
	show_wait("file system", make(child, CLONE_VM | CLONE_FS | SIGCHLD, "dir/sub"));
	YES(getcwd(where, sizeof(where)) && strstr(where, "/dir/sub"));
	show("deep/leaf.txt");
	MUST(chdir("../.."));
	show_wait("not the file system", make(child, CLONE_VM | SIGCHLD, "dir"));
	show("small.txt");
	show_wait("handlers", make(by_own_handler, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL));
	printf("SIGUSR1 %s\n", disposition(SIGUSR1));
	on(SIGUSR1, handler, 0);
	show_wait("not handlers", make(by_own_handler, CLONE_VM | SIGCHLD, NULL));
	printf("SIGUSR1 %s\n", disposition(SIGUSR1));
	raise(SIGUSR1);
	printf("handled %d\n", handled);
	pid_t pid = make(child, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	show_wait("vfork with a stack", pid);
	tid_word = 0;
	pid = make(child, CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, NULL);
	YES((pid_t)tid_word == pid);
	show_wait("parent settid", pid);
	tid_word = 1;
	pid = make(child, CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, NULL);
	show_wait("child cleartid", pid);
	printf("cleared: %u\n", tid_word);
	*(unsigned long *)(fake_tls + 2048) = (unsigned long)fake_tls + 2048;
	pid = clone(with_tls, stack[1] + sizeof(stack[1]), CLONE_VM | CLONE_SETTLS | SIGCHLD, NULL, NULL,
		    fake_tls + 2048);
	show_wait("own thread pointer", pid);
	printf("%d\n", shared);
	int pidfd = -1;
	pid = clone(child, stack[0] + sizeof(stack[0]), CLONE_PIDFD | SIGCHLD, NULL, &pidfd);
	struct pollfd ended = { pidfd, POLLIN, 0 };
	VALUE(poll(&ended, 1, 30000));
	show_wait("pidfd", pid);
	close(pidfd);
	/* CLONE_PARENT: a sibling */
	int p[2];
	MUST(pipe(p));
	pid_t middle = MUST(fork());
	if (middle == 0) {
		pid_t sibling = make(child, CLONE_PARENT | SIGCHLD, NULL);
		write(p[1], &sibling, sizeof(sibling));
		_exit(waitpid(sibling, NULL, 0) < 0 && errno == ECHILD ? 9 : 10);
	}
	show_wait("middle", middle);
	pid_t sibling = 0;
	MUST(read(p[0], &sibling, sizeof(sibling)));
	show_wait("sibling", sibling);
	pid = make(child, SIGUSR2, NULL); /* another signal than SIGCHLD */
	VALUE(waitpid(pid, NULL, 0) < 0 ? -1 : 0);
	VALUE(waitpid(pid, NULL, __WALL) < 0 ? -1 : 0);
	TRY(make(child, CLONE_SIGHAND | SIGCHLD, NULL));
	TRY(make(child, CLONE_THREAD | CLONE_VM | SIGCHLD, NULL));
	three("clone3", (struct clone_args){ .exit_signal = SIGCHLD });
	pid_t wanted = getpid();
	three("clone3 with a pid that is taken",
	      (struct clone_args){ .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&wanted, .set_tid_size = 1 });
	three("clone3 with a bad signal", (struct clone_args){ .exit_signal = 200 });
	three("clone3 with a stack and no size",
	      (struct clone_args){ .exit_signal = SIGCHLD, .stack = (uintptr_t)stack });
	three("clone3 with no cgroup",
	      (struct clone_args){ .exit_signal = SIGCHLD, .flags = CLONE_INTO_CGROUP, .cgroup = 9999 });
	three("clone3 with handlers shared and cleared",
	      (struct clone_args){ .exit_signal = SIGCHLD, .flags = CLONE_VM | CLONE_SIGHAND | CLONE_CLEAR_SIGHAND });
	struct clone_args clear = { .exit_signal = SIGCHLD, .flags = CLONE_CLEAR_SIGHAND };
	pid = clone3(&clear, sizeof(clear));
	if (pid == 0) {
		printf("cleared: SIGUSR1 %s, SIGUSR2 %s\n", disposition(SIGUSR1), disposition(SIGUSR2));
		raise(SIGUSR2);
		raise(SIGUSR1);
		_exit(1);
	}
	show_wait("clone3 with handlers cleared", pid);
	printf("ours: SIGUSR1 %s, SIGUSR2 %s\n", disposition(SIGUSR1), disposition(SIGUSR2));
	VALUE(clone3((void *)8, sizeof(struct clone_args)));
	VALUE(clone3(&clear, 7));
	static struct {
		struct clone_args args;
		char more[64];
	} large = { { .exit_signal = SIGCHLD }, { [40] = 1 } };
	VALUE(clone3(&large.args, sizeof(large)));
	return 0;
}
