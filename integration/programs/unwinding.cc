/* Unwinding through an interrupted call: exceptions thrown by handlers, and what backtrace() finds from within them.
 * link: -fnon-call-exceptions -fasynchronous-unwind-tables -O0
 */
#include <execinfo.h>
#include "sig.h"

static int p[2], orders[2];
static volatile int destroyed;
static char byte;

struct Guard {
	~Guard() { destroyed = destroyed + 1; }
};

static void throws(int)
{
	throw 42;
}

static volatile int found;
static void *outermost;

static void looks(int)
{
	void *frames[64];
	int count = backtrace(frames, 64);
	for (int i = 0; i < count; i++)
		found |= frames[i] >= outermost && (char *)frames[i] < (char *)outermost + 400;
}

/* Never inlined, so that its address range can be known. */
__attribute__((noinline)) static long outer(long (*call)())
{
	Guard guard;
	return call();
}

static long raw(long nr, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static long by_libc() { return read(p[0], &byte, 1); }
static long by_syscall() { return syscall(SYS_read, p[0], &byte, 1); }
static long by_hand() { return raw(SYS_read, p[0], (long)&byte, 1); }
static long by_pause() { return pause(); }
static long by_sleep() { timespec t = { 100, 0 }; return nanosleep(&t, nullptr); }
static long by_suspend() { sigset_t none = set_of(SIGUSR1); return sigsuspend(&none); }
static long by_wait() { return waitpid(-1, nullptr, 0); }
static long by_fifo() { return open("pipe", O_RDONLY); }
static long by_fault() { volatile int *nowhere = nullptr; return *nowhere; }

static const struct {
	const char *name;
	long (*call)();
} calls[] = {
	{ "read", by_libc }, { "syscall", by_syscall }, { "syscall instruction", by_hand }, { "pause", by_pause },
	{ "nanosleep", by_sleep }, { "sigsuspend", by_suspend }, { "waitpid", by_wait }, { "FIFO", by_fifo },
};

/* Sends the signal when the main thread sleeps: an exception from elsewhere is not what is looked at. */
static void *signaller(void *main_thread)
{
	char go;
	while (read(orders[0], &go, 1) == 1) {
		until_state(getpid(), 'S');
		pthread_kill(*(pthread_t *)main_thread, SIGALRM);
	}
	return nullptr;
}

static void signal_soon()
{
	MUST(write(orders[1], "x", 1));
}

int main()
{
	void *frames[4];
	pthread_t self = pthread_self(), other;
	MUST(pipe(orders));
	pthread_create(&other, nullptr, signaller, &self);
	MUST(pipe(p));
	MUST(mkfifo("pipe", 0600));
	backtrace(frames, 4); /* loads what it needs */
	outermost = (void *)outer;
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
			int caught = 0;
			destroyed = found = 0;
			on(SIGALRM, throws, flags | SA_NODEFER);
			for (int round = 0; round < 8; round++)
				try {
					signal_soon();
					outer(calls[i].call);
				} catch (int value) {
					caught += value == 42;
				}
			on(SIGALRM, looks, 0);
			signal_soon();
			outer(calls[i].call);
			printf("%s%s: caught %d destroyed %d, backtrace %s\n", calls[i].name, flags ? " with SA_RESTART" : "",
			       caught, destroyed, found ? "whole" : "CUT");
		}
	int caught = 0;
	on(SIGSEGV, throws, SA_NODEFER);
	for (int round = 0; round < 4; round++)
		try {
			outer(by_fault);
		} catch (int) {
			caught++;
		}
	printf("fault: caught %d\n", caught);
	return 0;
}
