/* POSIX timers, interval timers, alarm, sleeping calls; clocks that do not go back. */
#include "again.h"
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t posix, interval, alarms;

static void count(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (number == SIGRTMIN)
		posix += info->si_value.sival_int == 4711 ? 1 : 1000;
	else if (number == SIGVTALRM)
		interval++;
	else
		alarms++;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = count, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGRTMIN,
				  .sigev_value.sival_int = 4711 };
	timer_t ticking, distant, gone;
	struct itimerspec tick = { { 0, 20000000 }, { 0, 20000000 } }, far = { { 0, 0 }, { 100, 0 } };
	struct itimerval processor = { { 0, 5000 }, { 0, 5000 } };
	const struct timespec half = { 0, 500000000 };
	double monotonic_s = now_s(CLOCK_MONOTONIC), boot_s = now_s(CLOCK_BOOTTIME), real_s = now_s(CLOCK_REALTIME);
	sigaction(SIGRTMIN, &action, NULL);
	sigaction(SIGVTALRM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &gone) == 0 &&
	      timer_create(CLOCK_MONOTONIC, &event, &ticking) == 0);
	CHECK(timer_create(CLOCK_REALTIME, &event, &distant) == 0 && timer_delete(gone) == 0);
	CHECK(timer_settime(ticking, 0, &tick, NULL) == 0 && timer_settime(distant, 0, &far, NULL) == 0);
	CHECK(setitimer(ITIMER_VIRTUAL, &processor, NULL) == 0);
	alarm(2);
	linger();
	CHECK(posix > 10 && posix < 500);
	CHECK(timer_gettime(distant, &far) == 0 && far.it_value.tv_sec < 100 && far.it_value.tv_sec > 80);
	tick.it_value.tv_nsec = tick.it_interval.tv_nsec = 0;
	CHECK(timer_settime(ticking, 0, &tick, NULL) == 0);
	int before = interval;
	while (interval < before + 3)
		;
	CHECK(now_s(CLOCK_MONOTONIC) >= monotonic_s + 1 && now_s(CLOCK_BOOTTIME) >= boot_s + 1 &&
	      now_s(CLOCK_REALTIME) >= real_s + 1);
	CHECK(now_s(CLOCK_MONOTONIC) < monotonic_s + 60);
	while (!alarms)
		nanosleep(&half, NULL);
	return done();
}
