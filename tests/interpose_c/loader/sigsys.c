/* SIGSYS is the program's like any other signal; the shim's use of it does not show. */
#include "tell.h"

static volatile int got;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	got++;
	printf("signal %d code %d from us %d value %d\n", signal, info->si_code, info->si_pid == getpid(),
	       info->si_value.sival_int);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	union sigval value = { .sival_int = 42 };
	pid_t child;

	TELL(sigaction(SIGSYS, &action, NULL));
	TELL(kill(getpid(), SIGSYS));
	TELL(sigqueue(getpid(), SIGSYS, value));
	TELL(got);
	signal(SIGSYS, SIG_IGN);
	TELL(raise(SIGSYS));
	TELL(got);
	child = fork();
	if (child == 0) {
		signal(SIGSYS, SIG_DFL);
		raise(SIGSYS);
		_exit(0);
	}
	tell_end("default", child);
	child = fork();
	if (child == 0) { /* ignored across an exec */
		execlp("sh", "sh", "-c", "kill -SYS $$; echo lived", NULL);
		_exit(1);
	}
	tell_end("ignored", child);
	child = fork();
	if (child == 0) {
		signal(SIGSYS, SIG_DFL);
		execlp("sh", "sh", "-c", "kill -SYS $$; echo lived", NULL);
		_exit(1);
	}
	tell_end("default after exec", child);
	return 0;
}
