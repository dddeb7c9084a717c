/* Datagrams that wait in sockets which share a port: each has what it had, and no other. */
#include "again.h"
#include <netinet/in.h>
#include <sys/socket.h>

#define SHARERS 3
#define SAID 60

static int received(int fd, int flags, int numbers[SAID])
{
	int count = 0;
	while (recv(fd, &numbers[count], sizeof *numbers, flags | MSG_DONTWAIT) == sizeof *numbers)
		count++;
	return count;
}

int main(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof here;
	int on = 1, begin = 0, end = -1, all = 0, fds[SHARERS], had[SHARERS], was[SHARERS][SAID], now[SAID];
	for (int n = 0; n < SHARERS; n++) {
		fds[n] = socket(AF_INET, SOCK_DGRAM, 0);
		CHECK(setsockopt(fds[n], SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
		CHECK(bind(fds[n], (struct sockaddr *)&here, sizeof here) == 0);
		CHECK(getsockname(fds[n], (struct sockaddr *)&here, &length) == 0);
	}
	for (int n = 0; n < SAID; n++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		CHECK(sendto(fd, &n, sizeof n, 0, (struct sockaddr *)&here, sizeof here) == sizeof n && close(fd) == 0);
	}
	for (int n = 0; n < SHARERS; n++) {
		CHECK(setsockopt(fds[n], SOL_SOCKET, SO_PEEK_OFF, &begin, sizeof begin) == 0);
		all += had[n] = received(fds[n], MSG_PEEK, was[n]);
		CHECK(setsockopt(fds[n], SOL_SOCKET, SO_PEEK_OFF, &end, sizeof end) == 0);
	}
	CHECK(all == SAID);
	linger();
	for (int n = 0; n < SHARERS; n++)
		CHECK(received(fds[n], 0, now) == had[n] && !memcmp(now, was[n], (size_t)had[n] * sizeof *now));
	all = 0;
	for (int n = 0; n < SAID; n++) { /* the kernel chooses again */
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		CHECK(sendto(fd, &n, sizeof n, 0, (struct sockaddr *)&here, sizeof here) == sizeof n && close(fd) == 0);
	}
	for (int n = 0; n < SHARERS; n++) {
		int count = received(fds[n], 0, now);
		CHECK(count > 0);
		all += count;
	}
	CHECK(all == SAID);
	return done();
}
