/* epoll, eventfd, timerfd, signalfd, pidfd. */
#include "again.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

int main(void)
{
	uint64_t value;
	sigset_t usr;
	struct epoll_event events[8];
	struct signalfd_siginfo told;
	const struct itimerspec soon = { { 0, 0 }, { 3, 0 } }, often = { { 0, 50000000 }, { 0, 50000000 } };
	struct itimerspec left;
	int counter = eventfd(7, EFD_NONBLOCK), semaphore = eventfd(3, EFD_SEMAPHORE | EFD_CLOEXEC), child_alive[2];
	int once = timerfd_create(CLOCK_MONOTONIC, 0), ticks = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr, NULL);
	int signals = signalfd(-1, &usr, SFD_NONBLOCK), polled = epoll_create1(EPOLL_CLOEXEC);
	CHECK(timerfd_settime(once, 0, &soon, NULL) == 0 && timerfd_settime(ticks, 0, &often, NULL) == 0);
	CHECK(pipe(child_alive) == 0);
	pid_t child = fork();
	if (child == 0) {
		close(child_alive[1]);
		_exit(read(child_alive[0], &value, 1) == 0 ? 9 : 1);
	}
	close(child_alive[0]);
	int process = (int)syscall(SYS_pidfd_open, child, 0);
	const int watched[] = { counter, signals, ticks, process };
	for (unsigned n = 0; n < 4; n++) {
		struct epoll_event event = { EPOLLIN, { .u64 = 0x1234567800000000ull + n } };
		CHECK(epoll_ctl(polled, EPOLL_CTL_ADD, watched[n], &event) == 0);
	}
	CHECK(kill(getpid(), SIGUSR1) == 0);
	linger();
	CHECK(read(counter, &value, 8) == 8 && value == 7 && read(counter, &value, 8) < 0 && errno == EAGAIN);
	CHECK(read(semaphore, &value, 8) == 8 && value == 1 && read(semaphore, &value, 8) == 8 && value == 1);
	CHECK(fcntl(semaphore, F_GETFD) == FD_CLOEXEC);
	CHECK(timerfd_gettime(once, &left) == 0 && left.it_value.tv_sec < 2 &&
	      left.it_value.tv_sec + left.it_value.tv_nsec > 0);
	CHECK(read(ticks, &value, 8) == 8 && value > 5 && value < 200);
	int count = epoll_wait(polled, events, 8, 1000);
	CHECK(count >= 1 && events[0].data.u64 >> 32 == 0x12345678);
	CHECK(read(signals, &told, sizeof told) == sizeof told && told.ssi_signo == SIGUSR1 &&
	      told.ssi_pid == (unsigned)getpid());
	close(ticks);
	CHECK(epoll_wait(polled, events, 8, 0) == 0);
	close(child_alive[1]);
	do /* on a busy machine a dump may come as late as this: with a limit a wait ends then, as by SIGCONT */
		count = epoll_wait(polled, events, 8, 5000);
	while (count < 0 && errno == EINTR);
	CHECK(count == 1 && (uint32_t)events[0].data.u64 == 3);
	int status;
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 9);
	CHECK(read(once, &value, 8) == 8 && value == 1);
	return done();
}
