/* alarm, pause, sleep and what a stop does to calls that wait: what is left, what goes on by itself, what ends with EINTR. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include "sig.h"

static volatile int caught_count;

static void caught(int number)
{
	(void)number;
	caught_count++;
}

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void alarms_left(void)
{
	VALUE(alarm(0));
	VALUE(alarm(100));
	YES(alarm(50) >= 99);
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit((int)alarm(0)); /* a child has none */
	show_wait("of a fork", pid);
	YES(alarm(0) >= 49);
	struct itimerval odd = { { 0, 0 }, { 0, 1000000 } };
	TRY(setitimer(ITIMER_REAL, &odd, NULL));
	TRY(setitimer(9, &odd, NULL));
	TRY(getitimer(9, &odd));
}

static void pauses(void)
{
	on(SIGALRM, caught, SA_RESTART); /* pause ends nevertheless */
	for (int i = 0; i < 20; i++) {
		sigset_t before, all;
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, &before);
		struct itimerval soon = { { 0, 0 }, { 0, 300 } };
		setitimer(ITIMER_REAL, &soon, NULL);
		int expected = caught_count + 1;
		sigset_t none;
		sigemptyset(&none);
		if (sigsuspend(&none) != -1 || errno != EINTR || caught_count != expected)
			puts("sigsuspend is wrong");
		sigprocmask(SIG_SETMASK, &before, NULL);
	}
	VALUE(caught_count);
	caught_count = 0;
	alarms(1500);
	for (int i = 0; i < 10; i++)
		if (pause() != -1 || errno != EINTR)
			puts("pause is wrong");
	alarms(0);
	YES(caught_count >= 10);
	/* what is left of a sleep */
	alarm(1);
	unsigned left = sleep(30);
	YES(left == 29 || left == 28);
	struct timespec wish = { 30, 0 }, rest = { 0, 0 };
	struct itimerval soon = { { 0, 0 }, { 0, 2000 } };
	setitimer(ITIMER_REAL, &soon, NULL);
	VALUE(nanosleep(&wish, &rest));
	YES(rest.tv_sec == 29);
	setitimer(ITIMER_REAL, &soon, NULL);
	VALUE(-clock_nanosleep(CLOCK_MONOTONIC, 0, &wish, &rest));
	YES(rest.tv_sec == 29);
}

/* A child waits; it is stopped and goes on: some calls wait on, some end. */
struct calls {
	int p[2], epoll;
};

static long waiting(int which, struct calls *at)
{
	struct timespec time = { 0, 60000000 };
	struct timeval limit = { 0, 60000 };
	struct pollfd one = { at->p[0], POLLIN, 0 };
	struct epoll_event event;
	fd_set set;
	sigset_t none, usr1 = set_of(SIGUSR1);
	char byte;
	FD_ZERO(&set);
	FD_SET(at->p[0], &set);
	sigemptyset(&none);
	switch (which) {
	case 0:
		return nanosleep(&time, NULL);
	case 1:
		return poll(&one, 1, 60);
	case 2:
		return select(at->p[0] + 1, &set, NULL, NULL, &limit);
	case 3:
		return ppoll(&one, 1, &time, &none);
	case 4:
		return epoll_wait(at->epoll, &event, 1, 60);
	case 5:
		return epoll_pwait(at->epoll, &event, 1, 60, &none);
	case 6:
		return sigtimedwait(&usr1, NULL, &time);
	case 7:
		return read(at->p[0], &byte, 1);
	case 8: {
		static int word;
		return syscall(SYS_futex, &word, 0, 0, &time);
	}
	default:
		return waitpid(-1, NULL, 0);
	}
}

static void stopped_and_continued(void)
{
	static const char *const names[] = { "nanosleep",   "poll",         "select", "ppoll", "epoll_wait",
					     "epoll_pwait", "sigtimedwait", "read",   "futex", "waitpid" };
	struct calls at;
	for (int which = 0; which < 10; which++) {
		MUST(pipe(at.p));
		at.epoll = MUST(epoll_create1(0));
		struct epoll_event event = { .events = EPOLLIN };
		MUST(epoll_ctl(at.epoll, EPOLL_CTL_ADD, at.p[0], &event));
		int result[2];
		MUST(pipe(result));
		pid_t pid = MUST(fork());
		if (pid == 0) {
			pid_t own = 0;
			if (which == 9 && (own = fork()) == 0) {
				nap(60000);
				_exit(0);
			}
			double from = now_s();
			errno = 0;
			long value = waiting(which, &at);
			int error = errno;
			dprintf(result[1], "%s %s",
				value < 0 ? strerrorname_np(error) :
				value     ? "some" :
					    "0",
				which == 7 || error == EINTR || now_s() - from >= 0.055 ? "in time" : "too early");
			_exit(0);
		}
		until_state(pid, 'S');
		MUST(kill(pid, SIGSTOP));
		MUST(waitpid(pid, NULL, WUNTRACED));
		MUST(kill(pid, SIGCONT));
		if (which == 7) {
			until_state(pid, 'S');
			MUST(write(at.p[1], "x", 1));
		}
		char text[64] = "";
		MUST(waitpid(pid, NULL, 0));
		MUST(read(result[0], text, sizeof(text) - 1));
		printf("%s: %s\n", names[which], text);
		close(at.p[0]);
		close(at.p[1]);
		close(at.epoll);
		close(result[0]);
		close(result[1]);
	}
}

int main(void)
{
	alarms_left();
	pauses();
	stopped_and_continued();
	return 0;
}
