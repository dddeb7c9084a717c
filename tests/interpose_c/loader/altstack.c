/* sigaltstack, stack overflow caught on it, siglongjmp out of handlers, calls within handlers. */
#include <setjmp.h>
#include "tell.h"

static sigjmp_buf back;
static volatile sig_atomic_t hits;

static void out(int signal)
{
	hits++;
	if (write(-1, "", 1) == -1) /* a call on the alternate stack */
		siglongjmp(back, signal);
}

static volatile int depth;
__attribute__((noinline)) static int sink(int n)
{
	volatile char room[4096];

	room[0] = (char)n;
	depth = n;
	return sink(n + 1) + room[0];
}

static void where(int signal, siginfo_t *info, void *context)
{
	stack_t now;

	(void)signal;
	(void)context;
	sigaltstack(NULL, &now);
	printf("on the alternate stack: %s, code %d\n", now.ss_flags & SS_ONSTACK ? "yes" : "no", info->si_code);
}

int main(void)
{
	static char room[65536];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof room }, old;
	struct sigaction action = { .sa_sigaction = where, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	TELL(sigaltstack(&stack, NULL));
	TELL(sigaltstack(NULL, &old));
	CHECK(old.ss_sp == room);
	on(SIGSEGV, out, SA_ONSTACK);
	for (int i = 0; i < 3; i++)
		if (sigsetjmp(back, 1) == 0)
			sink(0);
	CHECK(depth > 100);
	printf("overflows caught: %d\n", (int)hits);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	on(SIGALRM, out, SA_ONSTACK);
	hits = 0;
	if (sigsetjmp(back, 1) == 0) /* one may come before the loop has begun */
		storm(200);
	for (double end = seconds() + 0.4; seconds() < end || hits <= 50;) {
		static volatile int fd = -1;

		if (sigsetjmp(back, 1))
			close(fd); /* what the jump left open, if it did */
		else
			for (;;) {
				char byte;

				fd = open("/proc/self/exe", O_RDONLY);
				if (fd >= 0 && read(fd, &byte, 1) != 1)
					abort();
				close(fd);
			}
	}
	storm(0);
	CHECK(hits > 50);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	TELL(close(99));
	return 0;
}
