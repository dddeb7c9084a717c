/* Processes by descriptor: pidfd_open, poll, waitid(P_PIDFD), pidfd_send_signal, pidfd_getfd, and their errors. */
#include <poll.h>
#include <sys/epoll.h>
#include "sig.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef PIDFD_NONBLOCK
#define PIDFD_NONBLOCK O_NONBLOCK
#endif

static int open_pid(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int send(int fd, int number)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
}

static volatile int got;
static void says(int number)
{
	(void)number;
	got++;
}

int main(void)
{
	char text[32] = "";
	siginfo_t info = { 0 };
	int p[2];
	MUST(pipe(p));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		on(SIGUSR1, says, 0);
		int fd = MUST(open("lines.txt", O_RDONLY));
		MUST(dup2(fd, 50));
		MUST(lseek(50, 10, SEEK_SET));
		MUST(write(p[1], "r", 1));
		while (!got)
			sigsuspend(&(sigset_t){ 0 });
		_exit(12);
	}
	MUST(read(p[0], text, 1));
	int fd = TRY(open_pid(pid, 0));
	YES(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	struct pollfd ended = { fd, POLLIN, 0 };
	VALUE(poll(&ended, 1, 0));
	TRY(send(fd, 0));
	TRY(send(fd, 200));
	int theirs = TRY(syscall(SYS_pidfd_getfd, fd, 50, 0));
	VALUE(read(theirs, text, 9));
	printf("%.9s\n", text);
	VALUE(lseek(theirs, 0, SEEK_CUR));
	TRY(syscall(SYS_pidfd_getfd, fd, 777, 0));
	int epoll = MUST(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN };
	TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	VALUE(epoll_wait(epoll, &event, 1, 0));
	TRY(send(fd, SIGUSR1));
	VALUE(epoll_wait(epoll, &event, 1, 30000));
	VALUE(poll(&ended, 1, 30000));
	TRY(waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT));
	printf("code %d status %d\n", info.si_code, info.si_status);
	TRY(send(fd, 0)); /* a zombie still is one */
	TRY(waitid(P_PIDFD, fd, &info, WEXITED));
	TRY(waitid(P_PIDFD, fd, &info, WEXITED));
	TRY(send(fd, 0));
	TRY(open_pid(pid, 0));
	TRY(open_pid(-1, 0));
	TRY(open_pid(getpid(), 0x12345));
	TRY(send(0, SIGUSR1));
	TRY(waitid(P_PIDFD, 99, &info, WEXITED));
	int self = TRY(open_pid(getpid(), 0));
	on(SIGUSR1, says, 0);
	TRY(send(self, SIGUSR1));
	printf("%d\n", got);
	pid = MUST(fork());
	if (pid == 0)
		for (;;)
			pause();
	fd = TRY(open_pid(pid, PIDFD_NONBLOCK));
	TRY(waitid(P_PIDFD, fd, &info, WEXITED));
	TRY(send(fd, SIGKILL));
	ended.fd = fd;
	VALUE(poll(&ended, 1, 30000));
	TRY(waitid(P_PIDFD, fd, &info, WEXITED));
	printf("code %d status %d\n", info.si_code, info.si_status);
	return 0;
}
