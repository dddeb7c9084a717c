/* What of signals an exec keeps: masks, what is ignored, what is pending, alarms, the parent-death signal; and what it resets. */
#include "sig.h"

static const char *me;

static void caught(int number)
{
	(void)number;
}

/* The second program says what it finds. */
static int look(void)
{
	struct sigaction action;
	stack_t stack;
	sigset_t pending;
	int deadly = 0;
	struct itimerval left;
	const int numbers[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD, SIGSEGV, SIGSYS, SIGRTMIN, SIGRTMAX };
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		MUST(sigaction(numbers[i], NULL, &action));
		printf("%d: %s flags %#x %s\n", numbers[i],
		       action.sa_handler == SIG_DFL ? "default" :
		       action.sa_handler == SIG_IGN ? "ignored" :
						      "handled",
		       (unsigned)action.sa_flags & ~0x4000000u, masked(numbers[i]) ? "blocked" : "free");
	}
	MUST(sigaltstack(NULL, &stack));
	YES(stack.ss_flags == SS_DISABLE);
	MUST(sigpending(&pending));
	printf("pending: USR1 %d USR2 %d RTMIN %d SYS %d\n", sigismember(&pending, SIGUSR1),
	       sigismember(&pending, SIGUSR2), sigismember(&pending, SIGRTMIN), sigismember(&pending, SIGSYS));
	siginfo_t info;
	sigset_t set = set_of(SIGRTMIN);
	while (sigtimedwait(&set, &info, &(struct timespec){ 0, 0 }) > 0)
		printf("queued %d code %d\n", info.si_int, info.si_code);
	MUST(prctl(PR_GET_PDEATHSIG, &deadly));
	VALUE(deadly);
	MUST(getitimer(ITIMER_REAL, &left));
	YES(left.it_value.tv_sec > 500 && left.it_interval.tv_sec == 7);
	VALUE(alarm(0) > 500);
	return 0;
}

static void prepare_and_exec(void)
{
	static char space[65536];
	stack_t stack = { space, 0, sizeof(space) };
	struct itimerval later = { { 7, 0 }, { 1000, 0 } };
	MUST(sigaltstack(&stack, NULL));
	on(SIGHUP, caught, SA_RESTART);
	on(SIGUSR2, SIG_IGN, 0);
	on(SIGPIPE, SIG_IGN, SA_RESTART);
	on(SIGCHLD, SIG_IGN, SA_NOCLDWAIT);
	on(SIGSEGV, caught, SA_ONSTACK);
	on(SIGRTMAX, caught, SA_NODEFER);
	mask(SIG_BLOCK, SIGUSR1);
	mask(SIG_BLOCK, SIGRTMIN);
	mask(SIG_BLOCK, SIGSYS);
	MUST(kill(getpid(), SIGUSR1));
	MUST(kill(getpid(), SIGUSR2)); /* ignored: gone */
	MUST(kill(getpid(), SIGSYS));
	for (int i = 0; i < 3; i++)
		MUST(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
	MUST(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	MUST(setitimer(ITIMER_REAL, &later, NULL));
	execl(me, me, "look", NULL);
	_exit(98);
}

static int waits(int out)
{
	int deadly = 0;
	sigset_t set = set_of(SIGRTMIN + 1);
	MUST(prctl(PR_GET_PDEATHSIG, &deadly));
	write(out, "r", 1);
	dprintf(out, "%s",
		deadly == SIGRTMIN + 1 && masked(deadly) && sigwaitinfo(&set, NULL) == deadly ? "told" : "nothing");
	return 0;
}

/* A middle process dies; the death signal comes to the grandchild, also over an exec. */
static void death_signal(const char *how)
{
	int p[2];
	char text[64] = "";
	MUST(pipe(p));
	pid_t middle = MUST(fork());
	if (middle == 0) {
		pid_t pid = MUST(fork());
		if (pid == 0) {
			char end[8];
			mask(SIG_BLOCK, SIGRTMIN + 1);
			MUST(prctl(PR_SET_PDEATHSIG, SIGRTMIN + 1));
			snprintf(end, sizeof(end), "%d", p[1]);
			if (strcmp(how, "exec") == 0)
				execl(me, me, "waits", end, NULL);
			_exit(waits(p[1]));
		}
		close(p[1]);
		char byte;
		read(p[0], &byte, 1);
		_exit(0);
	}
	close(p[1]);
	MUST(waitpid(middle, NULL, 0));
	for (size_t got = 0, more; (more = (size_t)read(p[0], text + got, sizeof(text) - 1 - got)) > 0 && more < 64;)
		got += more;
	printf("%s: %s\n", how, text);
	close(p[0]);
}

int main(int argc, char **argv)
{
	me = argv[0];
	if (argc == 2)
		return look();
	if (argc == 3)
		return waits(atoi(argv[2]));
	pid_t pid = MUST(fork());
	if (pid == 0)
		prepare_and_exec();
	show_wait("after exec", pid);
	death_signal("plain");
	death_signal("exec");
	TRY(prctl(PR_SET_PDEATHSIG, 65));
	TRY(prctl(PR_SET_PDEATHSIG, -1));
	TRY(prctl(PR_SET_PDEATHSIG, 0));
	/* a child's fork does not have it */
	MUST(prctl(PR_SET_PDEATHSIG, SIGHUP));
	pid = MUST(fork());
	if (pid == 0) {
		int deadly = -1;
		MUST(prctl(PR_GET_PDEATHSIG, &deadly));
		_exit(deadly);
	}
	show_wait("of a fork", pid);
	return 0;
}
