/* makecontext and swapcontext: coroutines with masks of their own that read files; switched in handlers; handlers on a coroutine's stack. */
#include <ucontext.h>
#include "sig.h"

enum { ROUTINES = 6, ROUNDS = 200, STACK = 64 * 1024 };

static ucontext_t back, routines[ROUTINES];
static int sums[ROUTINES], right[ROUTINES], now = -1;
static volatile int handled, on_coroutine;
static char stacks[ROUTINES][STACK];

static void routine(int mine)
{
	char line[11] = "";
	int fd = MUST(open("lines.txt", O_RDONLY));
	for (int i = 0; i < ROUNDS; i++) {
		MUST(pread(fd, line, 10, 10 * ((i * 7 + mine * 13) % 1000)));
		sums[mine] += atoi(line + 5);
		right[mine] += masked(SIGRTMIN + mine) && !masked(SIGRTMIN + (mine + 1) % ROUTINES) &&
			       masked(SIGSYS) == (mine == 2);
		MUST(swapcontext(&routines[mine], &back));
	}
	close(fd);
}

static void tick(int number, siginfo_t *info, void *context)
{
	char *here = (char *)&number;
	struct stat st;
	(void)info;
	(void)context;
	handled++;
	on_coroutine += here > stacks[0] && here < stacks[ROUTINES];
	stat("small.txt", &st);
}

static void coroutines(void)
{
	on_info(SIGALRM, tick, SA_RESTART);
	for (int i = 0; i < ROUTINES; i++) {
		MUST(getcontext(&routines[i]));
		routines[i].uc_stack.ss_sp = stacks[i];
		routines[i].uc_stack.ss_size = STACK;
		routines[i].uc_link = &back;
		routines[i].uc_sigmask = set_of(SIGRTMIN + i);
		if (i == 2)
			sigaddset(&routines[i].uc_sigmask, SIGSYS);
		makecontext(&routines[i], (void (*)(void))routine, 1, i);
	}
	alarms(500);
	for (int round = 0; round <= ROUNDS || (on_coroutine == 0 && round < 100000); round++) {
		for (now = 0; round <= ROUNDS && now < ROUTINES; now++)
			MUST(swapcontext(&back, &routines[now]));
		if (masked(SIGRTMIN) || masked(SIGSYS))
			puts("a mask stayed");
		if (round > ROUNDS && handled)
			break;
	}
	alarms(0);
	for (int i = 0; i < ROUTINES; i++)
		printf("routine %d: %d, mask right %d times\n", i, sums[i], right[i]);
	YES(handled > 0);
}

/* A handler leaves by setcontext, to where the mask was another. */
static ucontext_t safe;
static volatile int jumps;

static void leaves(int number)
{
	(void)number;
	jumps++;
	setcontext(&safe);
}

static void out_of_handlers(void)
{
	int p[2];
	char byte;
	MUST(pipe(p));
	on(SIGALRM, leaves, 0);
	mask(SIG_BLOCK, SIGUSR2);
	MUST(getcontext(&safe));
	if (jumps < 50) {
		alarms(700);
		read(p[0], &byte, 1); /* for ever */
		puts("came back");
	}
	alarms(0);
	YES(masked(SIGUSR2) && !masked(SIGALRM));
	YES(jumps >= 50); /* one more may come before there are none */
	mask(SIG_UNBLOCK, SIGUSR2);
}

/* A preemptive scheduler: the handler itself switches. */
static ucontext_t workers[2], finish;
static volatile long steps[2];
static volatile int current, switches;

static void switch_over(int number)
{
	(void)number;
	int from = current;
	if (switches >= 40)
		setcontext(&finish);
	switches++;
	current = !from;
	swapcontext(&workers[from], &workers[!from]);
}

static void worker(int mine)
{
	struct stat st;
	mask(SIG_UNBLOCK, SIGALRM);
	for (;;) {
		steps[mine]++;
		if (stat(mine ? "small.txt" : "nothing", &st) != (mine ? 0 : -1))
			abort();
	}
}

static void prepare(int mine)
{
	MUST(getcontext(&workers[mine]));
	workers[mine].uc_stack.ss_sp = stacks[mine];
	workers[mine].uc_stack.ss_size = STACK;
	workers[mine].uc_link = NULL;
	workers[mine].uc_sigmask = set_of(SIGALRM); /* a context is not to be left before it is entered */
	makecontext(&workers[mine], (void (*)(void))worker, 1, mine);
}

static void preempted(void)
{
	static int ends;
	prepare(0);
	prepare(1);
	on(SIGALRM, switch_over, SA_RESTART);
	MUST(getcontext(&finish));
	if (!ends++) {
		alarms(800);
		setcontext(&workers[0]);
	}
	alarms(0);
	YES(steps[0] > 0 && steps[1] > 0);
	VALUE(switches);
	YES(!masked(SIGALRM));
}

int main(void)
{
	coroutines();
	out_of_handlers();
	preempted();
	return 0;
}
