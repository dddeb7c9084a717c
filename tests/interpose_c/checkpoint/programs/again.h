/* What the programs of this folder share: each makes some state, lingers while it is dumped, killed and
 * restored behind its back, and looks whether everything is as it was. */
#ifndef AGAIN_H
#define AGAIN_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			printf("%d: %s (errno %d %s)\n", __LINE__, #condition, errno, strerror(errno)); \
			fflush(stdout); \
			_exit(1); \
		} \
	} while (0)

static inline double now_s(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Says that the state stands, and lets time pass: so long as the job has been awake, not the machine. */
static inline void linger(void)
{
	const struct timespec moment = { 0, 10000000 };
	double last_s = now_s(CLOCK_MONOTONIC);
	printf("ready\n");
	fflush(stdout);
	for (int moments = 0; moments < 120; moments++) {
		nanosleep(&moment, NULL);
		double s = now_s(CLOCK_MONOTONIC);
		CHECK(s >= last_s);
		last_s = s;
	}
}

static inline int done(void)
{
	printf("as it was\n");
	return 0;
}

#endif
