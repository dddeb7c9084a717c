/* Timers of all kinds: to a signal with a value, to a thread, to a new thread; overruns; CPU clocks; what fork and exec leave.
 * link: -lrt
 */
#include <sys/timerfd.h>
#include "sig.h"

static volatile int hits, value, code;
static volatile pid_t where;

static void record(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	value = info->si_value.sival_int;
	code = info->si_code;
	where = gettid();
	hits++;
}

static void in_thread(union sigval argument)
{
	struct stat st;
	value = argument.sival_int + (stat("small.txt", &st) == 0 ? (int)st.st_size : 0);
	where = gettid();
	__atomic_add_fetch(&hits, 1, __ATOMIC_SEQ_CST);
}

static timer_t make(clockid_t clock, struct sigevent *event)
{
	timer_t timer;
	MUST(timer_create(clock, event, &timer));
	return timer;
}

static void set(timer_t timer, long first_ns, long every_ns)
{
	struct itimerspec when = { { 0, every_ns }, { 0, first_ns } };
	MUST(timer_settime(timer, 0, &when, NULL));
}

static volatile pid_t waiter;
static void *thread(void *arg)
{
	(void)arg;
	waiter = gettid();
	for (int before = hits; hits < before + 3;)
		nap(1000);
	return NULL;
}

static void burn(int number)
{
	on(number, SIG_IGN, 0);
	hits = 0;
	on_info(number, record, 0);
	while (hits < 3)
		getppid();
	printf("%s after using the processor\n", sigabbrev_np(number));
}

int main(void)
{
	struct sigevent signal_event = { .sigev_notify = SIGEV_SIGNAL,
					 .sigev_signo = SIGRTMIN,
					 .sigev_value.sival_int = 11 };
	on_info(SIGRTMIN, record, 0);
	timer_t timer = make(CLOCK_MONOTONIC, &signal_event);
	set(timer, 1000000, 0);
	while (!hits)
		nap(1000);
	printf("signal: value %d code %d overruns %d\n", value, code, timer_getoverrun(timer));
	TRY(timer_delete(timer));
	TRY(timer_delete(timer));
	mask(SIG_BLOCK, SIGRTMIN);
	timer = make(CLOCK_MONOTONIC, &signal_event);
	set(timer, 1000000, 1000000);
	nap(40000);
	hits = 0;
	mask(SIG_UNBLOCK, SIGRTMIN);
	while (!hits)
		nap(1000);
	YES(timer_getoverrun(timer) >= 0);
	struct itimerspec left;
	TRY(timer_gettime(timer, &left));
	YES(left.it_interval.tv_nsec == 1000000 && left.it_value.tv_nsec <= 1000000);
	timer_delete(timer);
	pthread_t other;
	hits = 0;
	pthread_create(&other, NULL, thread, NULL);
	while (!waiter)
		nap(100);
	struct sigevent to_thread = signal_event;
	to_thread.sigev_notify = SIGEV_THREAD_ID;
	to_thread._sigev_un._tid = waiter;
	timer = make(CLOCK_MONOTONIC, &to_thread);
	set(timer, 1000000, 1000000);
	pthread_join(other, NULL);
	timer_delete(timer);
	YES(where == waiter);
	struct sigevent new_thread = { .sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 100 };
	new_thread.sigev_notify_function = in_thread;
	timer = make(CLOCK_REALTIME, &new_thread);
	hits = 0;
	set(timer, 1000000, 1000000);
	while (hits < 5)
		nap(1000);
	timer_delete(timer);
	nap(2000);
	printf("thread: value %d\n", value);
	YES(where != getpid());
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	timer = make(CLOCK_MONOTONIC, &none);
	set(timer, 999999999, 0);
	TRY(timer_gettime(timer, &left));
	YES(left.it_value.tv_sec == 0 && left.it_value.tv_nsec > 0);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		TRY(timer_gettime(timer, &left)); /* not inherited */
		struct itimerval now;
		getitimer(ITIMER_REAL, &now);
		_exit(now.it_value.tv_sec != 0);
	}
	show_wait("child", pid);
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
	setitimer(ITIMER_VIRTUAL, &often, NULL);
	burn(SIGVTALRM);
	setitimer(ITIMER_VIRTUAL, &(struct itimerval){ 0 }, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	burn(SIGPROF);
	setitimer(ITIMER_PROF, &(struct itimerval){ 0 }, NULL);
	timer = make(CLOCK_PROCESS_CPUTIME_ID, &signal_event);
	set(timer, 2000000, 2000000);
	burn(SIGRTMIN);
	timer_delete(timer);
	pid = MUST(fork());
	if (pid == 0) {
		alarm(1);
		execl("/bin/sh", "sh", "-c", "while :; do :; done", NULL); /* alarms live through an exec */
	}
	show_wait("alarm over an exec", pid);
	TRY(timer_create(99, NULL, &timer));
	YES(alarm(10) == 0 && alarm(0) == 10);
	return 0;
}
