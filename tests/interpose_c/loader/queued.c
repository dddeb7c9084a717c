/* Queued signals keep order and values, whatever the thread was doing; nothing is lost in handlers of
 * the shim; default actions and stops work. */
#include "tell.h"

static volatile int count, last, disorder, ordinary;

static void queued(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	count++;
	if (info->si_code != SI_QUEUE || info->si_value.sival_int != last + 1)
		disorder++;
	last = info->si_value.sival_int;
}

static void plain(int signal)
{
	(void)signal;
	ordinary++;
}

static void busy(void)
{
	char *const argv[] = { NULL };
	struct sigaction action;
	sigset_t set;

	sigaction(SIGUSR2, NULL, &action);
	execve("/no/such/file", argv, argv);
	sigfillset(&set);
	sigdelset(&set, SIGRTMIN);
	sigdelset(&set, SIGALRM);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = queued, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t parent = getpid(), child;
	int status;

	sigaction(SIGRTMIN, &action, NULL);
	on(SIGALRM, plain, SA_RESTART);
	child = fork();
	if (child == 0) {
		for (int i = 1; i <= 5000; i++) {
			union sigval value = { .sival_int = i };

			while (sigqueue(parent, SIGRTMIN, value) && errno == EAGAIN)
				usleep(100);
			if (i % 50 == 0)
				usleep(50);
		}
		_exit(0);
	}
	storm(500);
	while (count < 5000 || !ordinary) /* all may have come before the first alarm */
		busy();
	storm(0);
	TELL(count);
	TELL(disorder);
	CHECK(ordinary > 0);
	waitpid(child, &status, 0);
	child = fork();
	if (child == 0)
		for (;;)
			busy();
	usleep(20000);
	kill(child, SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	kill(child, SIGCONT);
	CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
	usleep(20000);
	kill(child, SIGTERM);
	tell_end("terminated", child);
	child = fork();
	if (child == 0) {
		struct timespec half = { 0, 300000000 };
		double before = seconds();

		nanosleep(&half, NULL);
		_exit(seconds() - before >= 0.3 ? 11 : 12);
	}
	usleep(50000);
	kill(child, SIGSTOP);
	usleep(50000);
	kill(child, SIGCONT);
	tell_end("slept through a stop", child);
	return 0;
}
