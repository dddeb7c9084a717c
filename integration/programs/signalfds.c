/* signalfd: alone, in epoll level and edge triggered, over fork, in threads, with a changed set, with queues of values, and its errors. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include "sig.h"

static int open_for(int number, int flags)
{
	sigset_t set = set_of(number);
	return signalfd(-1, &set, flags);
}

static void next(int fd)
{
	struct signalfd_siginfo info;
	ssize_t got = read(fd, &info, sizeof(info));
	if (got < 0)
		printf("read: %s\n", strerrorname_np(errno));
	else
		printf("read: %zd %s code %d value %d from %s\n", got,
		       info.ssi_signo >= (unsigned)SIGRTMIN ? "RT" : sigabbrev_np((int)info.ssi_signo), info.ssi_code,
		       info.ssi_int,
		       info.ssi_pid == (unsigned)getpid() ? "me" :
		       info.ssi_pid                       ? "another" :
							    "nobody");
}

static void alone(void)
{
	struct signalfd_siginfo many[8];
	sigset_t set = set_of(SIGRTMIN), pending;
	int fd = TRY(open_for(SIGRTMIN, SFD_CLOEXEC | SFD_NONBLOCK));
	VALUE(fcntl(fd, F_GETFD));
	next(fd);
	mask(SIG_BLOCK, SIGRTMIN);
	for (int i = 0; i < 5; i++)
		MUST(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 40 + i }));
	next(fd);
	VALUE(read(fd, many, sizeof(many)) / (long)sizeof(*many));
	printf("%d %d %d %d\n", many[0].ssi_int, many[1].ssi_int, many[2].ssi_int, many[3].ssi_int);
	VALUE(read(fd, many, sizeof(*many) - 1));
	VALUE(write(fd, many, sizeof(*many)));
	VALUE(lseek(fd, 0, SEEK_SET));
	MUST(raise(SIGRTMIN));
	next(fd);
	/* the set is changed under way */
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGKILL);
	YES(signalfd(fd, &set, 0) == fd);
	mask(SIG_BLOCK, SIGUSR1);
	MUST(kill(getpid(), SIGUSR1));
	MUST(sigpending(&pending));
	YES(sigismember(&pending, SIGUSR1));
	next(fd);
	/* a pending signal that no set names stays */
	MUST(raise(SIGUSR1));
	set = set_of(SIGUSR2);
	YES(signalfd(fd, &set, 0) == fd);
	next(fd);
	set = set_of(SIGUSR1);
	VALUE(sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }));
	TRY(signalfd(0, &set, 0));
	TRY(signalfd(999, &set, 0));
	TRY(signalfd(-1, &set, 0x7));
	TRY(syscall(SYS_signalfd4, -1, &set, 4, 0));
	TRY(syscall(SYS_signalfd4, -1, NOWHERE, 8, 0));
	close(fd);
}

enum { ROUNDS = 300 };

static void in_epoll(unsigned trigger)
{
	struct epoll_event event = { .events = EPOLLIN | trigger, .data.u32 = 7 };
	int fd = MUST(open_for(SIGUSR2, SFD_NONBLOCK)), epoll = MUST(epoll_create1(0));
	printf("-- %s\n", trigger ? "edges" : "levels");
	mask(SIG_BLOCK, SIGUSR2);
	TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	VALUE(epoll_wait(epoll, &event, 1, 0));
	MUST(raise(SIGUSR2));
	VALUE(epoll_wait(epoll, &event, 1, 5000));
	VALUE(epoll_wait(epoll, &event, 1, 0));
	next(fd);
	VALUE(epoll_wait(epoll, &event, 1, 0));
	/* a child that sends one each time it was answered */
	int p[2], got = 0;
	struct signalfd_siginfo info;
	MUST(pipe(p));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		char byte;
		for (int i = 0; i < ROUNDS; i++) {
			kill(getppid(), SIGUSR2);
			if (read(p[0], &byte, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	while (got < ROUNDS && epoll_wait(epoll, &event, 1, 20000) == 1)
		while (read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_pid == (unsigned)pid) {
			got++;
			MUST(write(p[1], "a", 1));
		}
	VALUE(got);
	show_wait("sender", pid);
	close(p[0]);
	close(p[1]);
	close(fd);
	close(epoll);
}

/* Who reads gets his own signals, whoever made the descriptor. */
static void over_fork(void)
{
	int fd = MUST(open_for(SIGUSR1, 0));
	mask(SIG_BLOCK, SIGUSR1);
	MUST(raise(SIGUSR1));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		struct pollfd mine = { fd, POLLIN, 0 };
		VALUE(poll(&mine, 1, 0));
		kill(getpid(), SIGUSR1);
		next(fd);
		_exit(0);
	}
	show_wait("child", pid);
	next(fd);
	close(fd);
}

static int shared_fd;
static void *waits(void *none)
{
	next(shared_fd);
	return none;
}

static void by_threads(void)
{
	pthread_t thread;
	shared_fd = MUST(open_for(SIGCHLD, SFD_CLOEXEC));
	mask(SIG_BLOCK, SIGCHLD);
	pthread_create(&thread, NULL, waits, NULL);
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(9);
	pthread_join(thread, NULL);
	show_wait("child", pid);
	/* to one thread only: the other does not see it */
	int fd = MUST(open_for(SIGUSR2, SFD_NONBLOCK));
	shared_fd = fd;
	mask(SIG_BLOCK, SIGUSR2);
	MUST(tgkill(getpid(), gettid(), SIGUSR2));
	pthread_create(&thread, NULL, waits, NULL);
	pthread_join(thread, NULL);
	next(fd);
}

static void interrupted(int number)
{
	(void)number;
}

static void eintr(void)
{
	int fd = MUST(open_for(SIGUSR2, 0));
	on(SIGALRM, interrupted, 0);
	alarms(3000);
	next(fd);
	alarms(0);
}

int main(void)
{
	alone();
	in_epoll(0);
	in_epoll(EPOLLET);
	over_fork();
	by_threads();
	eintr();
	return 0;
}
