/* A coroutine whose stack is an alternate signal stack, left and entered by longjmp while it stays armed; and
 * handlers that make calls on the smallest stack that holds one frame. */
#include <setjmp.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include "tell.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

static sigjmp_buf inside, outside;
static volatile int turns;
static char *room;

static __attribute__((noinline)) void body(void)
{
	volatile char kept[512];

	for (int i = 0; i < 512; i++)
		kept[i] = (char)i;
	for (;;) {
		int wrong = 0;

		if (sigsetjmp(inside, 0) == 0)
			siglongjmp(outside, 1);
		for (int i = 0; i < 512; i++)
			wrong += kept[i] != (char)i;
		turns += wrong ? -1000 : 1;
	}
}

static void start(int signal)
{
	(void)signal;
	body();
}

static volatile int good;
static void busy(int signal)
{
	char byte;
	int fd = open("/etc/passwd", O_RDONLY);

	(void)signal;
	good += read(fd, &byte, 1) == 1 && getppid() > 0 && access("/", F_OK) == 0 && close(fd) == 0;
}

int main(void)
{
	size_t least = getauxval(AT_MINSIGSTKSZ) ? getauxval(AT_MINSIGSTKSZ) : 2048;
	stack_t stack = { .ss_size = 65536 }, old;
	unsigned long canary = 0xfeedfacecafe;
	int pid;

	stack.ss_sp = room = malloc(65536);
	sigaltstack(&stack, NULL);
	on(SIGUSR1, start, SA_ONSTACK);
	if (sigsetjmp(outside, 1) == 0)
		raise(SIGUSR1);
	for (volatile int i = 0; i < 50; i++) {
		struct sigaction action;

		/* calls of all kinds while the stack is armed and in use, and we are not on it */
		sigaction(SIGUSR2, NULL, &action);
		sched_yield();
		umask(022);
		getuid();
		if (sigsetjmp(outside, 1) == 0)
			siglongjmp(inside, 1);
	}
	TELL(turns);

	stack.ss_size = (least + 1500 + 63) & ~63ul;
	stack.ss_sp = room + 8192;
	memcpy(room + 8192 - sizeof canary, &canary, sizeof canary);
	TELL(sigaltstack(&stack, NULL));
	on(SIGUSR1, busy, SA_ONSTACK);
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
	TELL(good);
	CHECK(memcmp(room + 8192 - sizeof canary, &canary, sizeof canary) == 0);
	stack.ss_size = 100;
	TELL(sigaltstack(&stack, NULL));
	stack.ss_flags = 7;
	TELL(sigaltstack(&stack, NULL));
	stack.ss_flags = SS_DISABLE;
	TELL(sigaltstack(&stack, &old));
	CHECK(old.ss_sp == room + 8192 && old.ss_flags == 0);
	TELL(sigaltstack(NULL, &old));
	printf("%d %p %zu\n", old.ss_flags, old.ss_sp, old.ss_size);
	TELL(syscall(SYS_sigaltstack, 8, 0));
	TELL(syscall(SYS_sigaltstack, 0, 8));
	for (int i = 0; i < 3; i++) /* no stack now: on the current one */
		raise(SIGUSR1);
	TELL(good);
	pid = fork();
	if (pid == 0) {
		stack.ss_flags = 0;
		stack.ss_size = 2048; /* less than a frame may need */
		_exit(sigaltstack(&stack, NULL) ? 1 : 0);
	}
	tell_end("fork", pid);
	return 0;
}
