/* sigwaitinfo, sigtimedwait, sigqueue, rt_sigqueueinfo: who sent what with which value and code; order; time limits; what may be pretended. */
#include <mqueue.h>
#include "sig.h"

static void show_next(sigset_t set)
{
	siginfo_t info;
	memset(&info, 0, sizeof(info));
	int number = sigtimedwait(&set, &info, &(struct timespec){ 20, 0 });
	if (number < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%s%d code %d value %d status %d from %s\n", number >= SIGRTMIN ? "RT+" : "",
		       number >= SIGRTMIN ? number - SIGRTMIN : number, info.si_code,
		       number >= SIGRTMIN ? info.si_int : 0, number == SIGCHLD ? info.si_status : 0,
		       info.si_code == SI_TIMER || info.si_code == SI_KERNEL ? "-" :
		       info.si_pid == getpid()                               ? "me" :
									       "another");
}

static void caught(int number)
{
	(void)number;
}

static int pretend(pid_t pid, int number, int code, int value)
{
	siginfo_t info;
	memset(&info, 0, sizeof(info));
	info.si_code = code;
	info.si_pid = 4242;
	info.si_int = value;
	return (int)syscall(SYS_rt_sigqueueinfo, pid, number, &info);
}

static void codes(void)
{
	sigset_t set = set_of(SIGRTMIN);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGALRM);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	MUST(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 1 }));
	MUST(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = -2 }));
	MUST(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 3 }));
	MUST(kill(getpid(), SIGUSR1));
	MUST(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 9 })); /* one is pending already */
	for (int i = 0; i < 4; i++)
		show_next(set);
	MUST(tgkill(getpid(), gettid(), SIGRTMIN));
	show_next(set);
	MUST(alarm(0) == 0 ? 0 : -1);
	struct itimerval soon = { { 0, 0 }, { 0, 2000 } };
	MUST(setitimer(ITIMER_REAL, &soon, NULL));
	show_next(set);
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77 };
	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
	MUST(timer_settime(timer, 0, &(struct itimerspec){ { 0, 0 }, { 0, 1000000 } }, NULL));
	show_next(set);
	MUST(timer_delete(timer));
	for (int how = 0; how < 3; how++) {
		pid_t pid = MUST(fork());
		if (pid == 0) {
			if (how == 0)
				_exit(5);
			if (how == 2) {
				MUST(sigqueue(getppid(), SIGRTMIN, (union sigval){ .sival_int = 55 }));
				while (state_of(getppid()) != 'S') /* it has taken it */
					nap(500);
			}
			raise(how == 1 ? SIGTERM : SIGSTOP);
			_exit(6);
		}
		show_next(set);
		if (how == 2) {
			show_next(set);
			MUST(kill(pid, SIGCONT));
			show_next(set);
			sigset_t child = set_of(SIGCHLD);
			while (waitpid(pid, NULL, WNOHANG) == 0)
				sigtimedwait(&child, NULL, &(struct timespec){ 0, 10000000 });
		} else {
			MUST(waitpid(pid, NULL, 0));
		}
		while (sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }) > 0)
			;
	}
	struct sigevent told = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 31 };
	struct mq_attr attributes = { .mq_maxmsg = 2, .mq_msgsize = 8 };
	mqd_t queue = mq_open("/awaited_signals", O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
	if (queue >= 0) {
		mq_unlink("/awaited_signals");
		MUST(mq_notify(queue, &told));
		MUST(mq_send(queue, "m", 1, 0));
		show_next(set);
	}
	MUST(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

static void limits_of_time(void)
{
	sigset_t set = set_of(SIGUSR2);
	siginfo_t info;
	mask(SIG_BLOCK, SIGUSR2);
	VALUE(sigtimedwait(&set, &info, &(struct timespec){ 0, 0 }));
	VALUE(sigtimedwait(&set, &info, &(struct timespec){ 0, 3000000 }));
	VALUE(sigtimedwait(&set, &info, &(struct timespec){ 0, -1 }));
	VALUE(sigtimedwait(&set, &info, &(struct timespec){ 0, 1000000000 }));
	VALUE(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 4));
	VALUE(syscall(SYS_rt_sigtimedwait, NOWHERE, NULL, NULL, 8));
	on(SIGALRM, caught, SA_RESTART);
	alarms(3000);
	VALUE(sigtimedwait(&set, &info, NULL)); /* another's handler ends it */
	VALUE(sigwaitinfo(&set, &info));
	alarms(0);
	/* fatal, stopping and never waitable ones */
	set = set_of(SIGKILL);
	sigaddset(&set, SIGSTOP);
	VALUE(sigtimedwait(&set, &info, &(struct timespec){ 0, 1000 }));
	/* one that is not blocked: it is taken here and not by the handler */
	mask(SIG_UNBLOCK, SIGUSR2);
	mask(SIG_UNBLOCK, SIGALRM);
}

static void pretended(void)
{
	sigset_t set = set_of(SIGRTMIN);
	mask(SIG_BLOCK, SIGRTMIN);
	TRY(pretend(getpid(), SIGRTMIN, SI_QUEUE, 1));
	show_next(set);
	TRY(pretend(getpid(), SIGRTMIN, -60, 2));
	show_next(set);
	TRY(pretend(getpid(), SIGRTMIN, SI_USER, 3)); /* to oneself anything goes */
	show_next(set);
	TRY(pretend(getppid(), SIGRTMIN, SI_USER, 4));
	TRY(pretend(getppid(), SIGRTMIN, SI_TKILL, 4));
	TRY(pretend(getpid(), 0, SI_QUEUE, 4));
	TRY(pretend(getpid(), 65, SI_QUEUE, 4));
	TRY(pretend(0x3ffffff, SIGRTMIN, SI_QUEUE, 4));
	TRY(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, NOWHERE));
	TRY(syscall(SYS_rt_tgsigqueueinfo, getpid(), -1, SIGRTMIN, NULL));
	mask(SIG_UNBLOCK, SIGRTMIN);
}

/* A thread that does nothing but wait for everybody's signals. */
static volatile int served[3];

static void *serves(void *none)
{
	sigset_t set = set_of(SIGRTMIN);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	for (;;) {
		siginfo_t info;
		int number = sigwaitinfo(&set, &info);
		if (number == SIGUSR2)
			return none;
		served[number == SIGUSR1]++;
		served[2] += info.si_int;
	}
}

static void *asks(void *count)
{
	struct stat st;
	for (int i = 0; i < 200; i++) {
		stat("small.txt", &st);
		while (sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 1 }) < 0)
			sched_yield();
	}
	return count;
}

static void by_one_thread(void)
{
	pthread_t server, clients[4];
	sigset_t set = set_of(SIGRTMIN);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	pthread_create(&server, NULL, serves, NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&clients[i], NULL, asks, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(clients[i], NULL);
	while (served[0] < 800)
		nap(1000);
	MUST(kill(getpid(), SIGUSR2));
	pthread_join(server, NULL);
	printf("served %d, values %d\n", served[0], served[2]);
}

int main(void)
{
	codes();
	limits_of_time();
	pretended();
	by_one_thread();
	return 0;
}
