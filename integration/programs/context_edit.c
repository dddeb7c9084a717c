/* Handlers that edit their frame: the mask, registers, where to go on; also in the middle of a call, and of nested handlers. */
#include <ucontext.h>
#include "sig.h"

static volatile int skipped, seen;

/* Goes on behind the two bytes of ud2. */
static void skip(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	(void)number, (void)info;
	frame->uc_mcontext.gregs[REG_RIP] += 2;
	frame->uc_mcontext.gregs[REG_RAX] = 4711;
	skipped++;
}

static void result_is(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	(void)number, (void)info;
	frame->uc_mcontext.gregs[REG_RAX] = 99; /* of the call that was interrupted, or of nothing */
	seen++;
}

static void masks(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	(void)number, (void)info;
	sigaddset(&frame->uc_sigmask, SIGUSR2);
	sigdelset(&frame->uc_sigmask, SIGHUP);
}

static long probe(void)
{
	long result;
	__asm__ volatile("xor %%eax, %%eax; ud2" : "=a"(result) : : "memory");
	return result;
}

static void elsewhere(void)
{
	puts("somewhere else");
	show("small.txt");
	exit(3);
}

static void away(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	(void)number, (void)info;
	frame->uc_mcontext.gregs[REG_RIP] = (long)elsewhere;
	frame->uc_mcontext.gregs[REG_RSP] = ((frame->uc_mcontext.gregs[REG_RSP] - 256) & ~15L) - 8;
}

/* read() at a site of our own, with a known number of hits before. */
__attribute__((noinline)) static long raw_read(int fd, void *to, long size)
{
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(SYS_read), "D"(fd), "S"(to), "d"(size)
			 : "rcx", "r11", "memory");
	return result;
}

static int p[2];
static volatile unsigned long where[2];
static volatile int count;

static void looks(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	(void)number, (void)info;
	where[count & 1] = frame->uc_mcontext.gregs[REG_RIP];
	if (++count == 2)
		MUST(write(p[1], "x", 1));
}

/* A child that sends SIGALRM when we sleep: in the call, not on the way to it. */
static pid_t signals_us_asleep(int times)
{
	pid_t us = getpid(), pid = MUST(fork());
	if (pid != 0)
		return pid;
	for (int i = 0; i < times; i++) {
		until_state(us, 'S');
		kill(us, SIGALRM);
	}
	_exit(0);
}

int main(void)
{
	on_info(SIGILL, skip, 0);
	printf("%ld %ld %d\n", probe(), probe(), skipped);
	on_info(SIGUSR1, masks, 0);
	mask(SIG_BLOCK, SIGHUP);
	raise(SIGUSR1);
	YES(masked(SIGUSR2));
	YES(masked(SIGHUP));
	mask(SIG_UNBLOCK, SIGUSR2);
	MUST(pipe(p));
	on_info(SIGALRM, result_is, 0);
	char byte;
	for (int i = 0; i < 5; i++) {
		pid_t other = signals_us_asleep(1);
		long result = raw_read(p[0], &byte, 1);
		waitpid(other, NULL, 0);
		printf("interrupted read: %ld\n", result);
	}
	/* with SA_RESTART the frame is at the syscall instruction each time, without it behind it */
	on_info(SIGALRM, looks, SA_RESTART);
	for (int i = 0; i < 4; i++) {
		count = 0;
		pid_t other = signals_us_asleep(2);
		long result = raw_read(p[0], &byte, 1);
		unsigned char *code = (unsigned char *)raw_read;
		waitpid(other, NULL, 0);
		YES(where[0] == where[1] && where[0] >= (unsigned long)code && where[0] < (unsigned long)code + 64);
		printf("restarted read: %ld\n", result);
	}
	pid_t pid = MUST(fork());
	if (pid == 0) {
		on_info(SIGALRM, away, 0);
		signals_us_asleep(1);
		raw_read(p[0], &byte, 1);
		_exit(9);
	}
	show_wait("child", pid);
	return 0;
}
