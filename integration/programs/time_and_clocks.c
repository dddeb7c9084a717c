/* Clocks run, agree with one another, and with the times of files. */
#include <sys/time.h>
#include <sys/times.h>
#include "say.h"

static double seconds(clockid_t clock)
{
	struct timespec now;
	MUST(clock_gettime(clock, &now));
	return now.tv_sec + now.tv_nsec * 1e-9;
}

int main(void)
{
	struct timeval tv;
	struct timespec resolution;
	double m = seconds(CLOCK_MONOTONIC), r = seconds(CLOCK_REALTIME);
	MUST(gettimeofday(&tv, NULL));
	YES(tv.tv_sec - r < 1 && tv.tv_sec - r > -2);
	YES(time(NULL) - r < 2);
	MUST(nanosleep(&(struct timespec){ 0, 20000000 }, NULL));
	double passed = seconds(CLOCK_MONOTONIC) - m;
	YES(passed >= 0.02 && passed < 5);
	TRY(clock_getres(CLOCK_MONOTONIC, &resolution));
	YES(resolution.tv_nsec == 1);
	volatile long work = 0;
	for (long i = 0; i < 20000000; i++)
		work += i;
	YES(seconds(CLOCK_PROCESS_CPUTIME_ID) > 0.001);
	struct tms used;
	YES(times(&used) != -1);
	struct stat st;
	put("stamp", "x");
	MUST(stat("stamp", &st));
	double age = seconds(CLOCK_REALTIME) - (st.st_mtim.tv_sec + st.st_mtim.tv_nsec * 1e-9);
	YES(age > -0.02 && age < 5);
	MUST(chmod("stamp", 0600));
	MUST(stat("stamp", &st));
	age = seconds(CLOCK_REALTIME) - (st.st_ctim.tv_sec + st.st_ctim.tv_nsec * 1e-9);
	YES(age > -0.02 && age < 5);
	return 0;
}
