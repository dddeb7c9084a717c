/* What the programs about signals and threads share, next to say.h. */
#ifndef SIG_H
#define SIG_H

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include "say.h"

/* What whoever started the test ignores or blocks is not what is looked at; what a
 * program finds that is started again with arguments is. */
__attribute__((constructor)) static void sig_defaults(int argc)
{
	sigset_t none;
	if (argc > 1)
		return;
	for (int number = 1; number < 32; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static inline void on(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {};
	action.sa_handler = handler;
	action.sa_flags = flags;
	MUST(sigaction(number, &action, NULL));
}

static inline void on_info(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {};
	action.sa_sigaction = handler;
	action.sa_flags = flags | SA_SIGINFO;
	MUST(sigaction(number, &action, NULL));
}

/* SIGALRM every so often; 0 ends it. */
static inline void alarms(long us)
{
	struct itimerval often = { { 0, us }, { 0, us } };
	MUST(setitimer(ITIMER_REAL, &often, NULL));
}

static inline sigset_t set_of(int number)
{
	sigset_t set;
	sigemptyset(&set);
	if (number)
		sigaddset(&set, number);
	return set;
}

static inline void mask(int how, int number)
{
	sigset_t set = set_of(number);
	pthread_sigmask(how, &set, NULL);
}

/* Is the signal blocked in this thread? */
static inline int masked(int number)
{
	sigset_t set;
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, number);
}

static inline void nap(long us)
{
	struct timespec left = { us / 1000000, us % 1000000 * 1000 };
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* 'S' asleep, 'Z' zombie, 'T' stopped, '?' gone; of a thread or process of ours. */
static inline char state_of(pid_t tid)
{
	char name[64], line[512], *at;
	snprintf(name, sizeof(name), "/proc/%d/stat", tid);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return '?';
	ssize_t got = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[got > 0 ? got : 0] = 0;
	at = strrchr(line, ')');
	return at && at[1] ? at[2] : '?';
}

static inline void until_state(pid_t tid, char state)
{
	for (int i = 0; i < 20000 && state_of(tid) != state; i++)
		nap(1000);
}

static inline void show_status(const char *what, int status)
{
	if (WIFSTOPPED(status))
		printf("%s: stopped by %s\n", what, sigabbrev_np(WSTOPSIG(status)));
	else if (WIFCONTINUED(status))
		printf("%s: continued\n", what);
	else if (WIFSIGNALED(status))
		printf("%s: killed by %s\n", what, sigabbrev_np(WTERMSIG(status)));
	else
		printf("%s: exit %d\n", what, WEXITSTATUS(status));
}

#endif
