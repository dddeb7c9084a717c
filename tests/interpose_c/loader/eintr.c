/* Blocked calls and signals: EINTR, SA_RESTART, and the calls that swap the mask. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include "tell.h"

static int ends[2];
static volatile int seen;

static void feed(int signal)
{
	seen = signal;
	if (write(ends[1], "x", 1) != 1)
		abort();
}

static void note(int signal)
{
	seen = signal;
}

static void soon(void)
{
	struct itimerval once = { { 0, 0 }, { 0, 30000 } };

	setitimer(ITIMER_REAL, &once, NULL);
}

static volatile sigset_t in_handler;
static void look(int signal)
{
	seen = signal;
	sigprocmask(SIG_BLOCK, NULL, (sigset_t *)&in_handler);
}

static void show_mask(const char *when, const sigset_t *set)
{
	printf("%s:", when);
	for (int i = 1; i < 65; i++)
		if (sigismember(set, i) && i != SIGSYS) /* never blocked in truth: it does not show in a handler */
			printf(" %d", i);
	printf("\n");
}

static void swapping(void)
{
	struct timespec second = { 2, 0 };
	struct epoll_event event;
	struct pollfd in = { .fd = ends[0], .events = POLLIN };
	sigset_t blocked, open_for_alarm, now;
	int epoll = epoll_create1(0);
	fd_set set;

	on(SIGALRM, look, 0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	sigfillset(&open_for_alarm);
	sigdelset(&open_for_alarm, SIGALRM);
	sigdelset(&open_for_alarm, SIGUSR1);
	for (int how = 0; how < 5; how++) {
		FD_ZERO(&set);
		FD_SET(ends[0], &set);
		seen = 0;
		soon();
		switch (how) {
		case 0:
			TELL(sigsuspend(&open_for_alarm));
			break;
		case 1:
			TELL(ppoll(&in, 1, &second, &open_for_alarm));
			break;
		case 2:
			TELL(pselect(ends[0] + 1, &set, NULL, NULL, &second, &open_for_alarm));
			break;
		case 3:
			TELL(epoll_pwait(epoll, &event, 1, 2000, &open_for_alarm));
			break;
		case 4:
			TELL(syscall(SYS_epoll_pwait2, epoll, &event, 1, &second, &open_for_alarm, 8));
			break;
		}
		printf("seen %d\n", seen);
		show_mask("in the handler", (sigset_t *)&in_handler);
		sigprocmask(SIG_BLOCK, NULL, &now);
		show_mask("after", &now);
	}
	/* ready at once: no signal is let in, though one waits */
	if (write(ends[1], "y", 1) != 1)
		abort();
	seen = 0;
	TELL(ppoll(&in, 1, &second, NULL));
	TELL(ppoll(&in, 1, &second, &open_for_alarm));
	printf("seen %d\n", seen);
	TELL(ppoll((void *)8, 1, &second, &open_for_alarm));
	TELL(syscall(SYS_ppoll, &in, 1, &second, 8, 8));
	TELL(syscall(SYS_rt_sigsuspend, 8, 8));
	TELL(syscall(SYS_rt_sigsuspend, &now, 4));
	sigemptyset(&blocked);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

int main(void)
{
	struct timespec while_ = { 0, 200000000 }, rest = { 0 };
	sigset_t set;
	siginfo_t info;
	char byte;

	if (pipe(ends))
		return 1;
	for (int round = 0; round < 3; round++) {
		on(SIGALRM, feed, 0);
		soon();
		TELL(read(ends[0], &byte, 1));
		TELL(read(ends[0], &byte, 1));
		on(SIGALRM, feed, SA_RESTART);
		soon();
		TELL(read(ends[0], &byte, 1));
		on(SIGALRM, note, SA_RESTART);
		soon();
		TELL(nanosleep(&while_, &rest));
		CHECK(rest.tv_nsec > 100000000);
		soon();
		TELL(poll(NULL, 0, 1000));
		soon();
		TELL(pause());
	}
	swapping();
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	soon();
	CHECK(sigwaitinfo(&set, &info) == SIGALRM);
	{
		int fd = signalfd(-1, &set, 0);
		struct signalfd_siginfo got;

		soon();
		CHECK(read(fd, &got, sizeof got) == sizeof got && got.ssi_signo == SIGALRM);
	}
	return 0;
}
