/* select, poll, ppoll, epoll over pipes, files and directories. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include "say.h"

int main(void)
{
	int p[2], file = MUST(open("small.txt", O_RDONLY));
	MUST(pipe(p));
	struct pollfd fds[3] = { { p[0], POLLIN, 0 }, { file, POLLIN | POLLOUT, 0 }, { 77, POLLIN, 0 } };
	VALUE(poll(fds, 2, 0));
	printf("%x %x\n", fds[0].revents, fds[1].revents);
	VALUE(poll(fds, 3, 0));
	printf("%x\n", fds[2].revents);
	MUST(write(p[1], "x", 1));
	VALUE(ppoll(fds, 1, &(struct timespec){ 1, 0 }, NULL));
	fd_set set;
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	FD_SET(file, &set);
	VALUE(select(file + p[0] + 1, &set, NULL, NULL, &(struct timeval){ 1, 0 }));
	int ep = TRY(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 5 }, got[4];
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, file, &event));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, MUST(open("dir", O_RDONLY)), &event));
	VALUE(epoll_wait(ep, got, 4, 1000));
	printf("%x %u\n", got[0].events, got[0].data.u32);
	char byte;
	MUST(read(p[0], &byte, 1));
	VALUE(epoll_wait(ep, got, 4, 0));
	close(p[1]);
	VALUE(epoll_wait(ep, got, 4, 1000));
	printf("%x\n", got[0].events);
	VALUE(select(0, NULL, NULL, NULL, &(struct timeval){ 0, 1000 }));
	return 0;
}
