/* siglongjmp out of a handler in the middle of system calls, again and again. */
#include <setjmp.h>
#include <sys/time.h>
#include "say.h"

static sigjmp_buf back;

static void jump(int number)
{
	siglongjmp(back, number);
}

int main(void)
{
	struct itimerval once = { { 0, 0 }, { 0, 300 } };
	volatile int jumps = 0;
	volatile long calls = 0;
	signal(SIGALRM, jump);
	while (jumps < 200) {
		if (sigsetjmp(back, 1)) {
			jumps++;
			continue;
		}
		MUST(setitimer(ITIMER_REAL, &once, NULL));
		for (;;) {
			struct stat st;
			stat("small.txt", &st);
			access("dir/absent", F_OK);
			getppid();
			calls++;
		}
	}
	printf("%d jumps, many calls %s\n", jumps, calls > 200 ? "yes" : "no");
	show("small.txt");
	return 0;
}
