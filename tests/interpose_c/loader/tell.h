/* What the loader's test programs share: the native run's output is the truth. */
#ifndef TELL_H
#define TELL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A line is out before a fork can copy the buffer. */
__attribute__((constructor)) static void by_lines(void)
{
	setvbuf(stdout, NULL, _IOLBF, 4096);
}

#define TELL(expression) \
	({ \
		errno = 0; \
		long told_ = (long)(expression); \
		if (told_ == -1) \
			printf("%s: %s\n", #expression, strerrorname_np(errno)); \
		else \
			printf("%s: %ld\n", #expression, told_); \
		told_; \
	})
#define CHECK(condition) printf("%s: %s\n", #condition, (condition) ? "yes" : "NO")

static inline void tell_end(const char *what, pid_t pid)
{
	int status = 0;

	if (waitpid(pid, &status, 0) != pid)
		printf("%s: wait %s\n", what, strerrorname_np(errno));
	else if (WIFSIGNALED(status))
		printf("%s: killed by %s\n", what, sigabbrev_np(WTERMSIG(status)));
	else
		printf("%s: exit %d\n", what, WEXITSTATUS(status));
}

static inline void on(int signal, void (*handler)(int), int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = handler;
	action.sa_flags = flags;

	sigaction(signal, &action, NULL);
}

/* SIGALRM every `us` microseconds; 0 stops it. */
static inline void storm(long us)
{
	struct itimerval every = { { 0, us }, { 0, us } };

	setitimer(ITIMER_REAL, &every, NULL);
}

static inline double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
