/* TCP and UDP over the job's own loopback: connections with bytes in both queues, ended one way, both ways,
 * not accepted yet; what listens; datagrams that wait; options. */
#include "again.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define LARGE 30000000

static struct sockaddr_in here(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;
	CHECK(getsockopt(fd, level, name, &value, &length) == 0);
	return value;
}

static void set(int fd, int level, int name, int value)
{
	CHECK(setsockopt(fd, level, name, &value, sizeof value) == 0);
}

static int open_door(int family, int *port)
{
	struct sockaddr_in6 name = { .sin6_family = family };
	socklen_t length = sizeof name;
	int door = socket(family, SOCK_STREAM, 0);
	CHECK(door >= 0 && bind(door, (struct sockaddr *)&name, length) == 0 && listen(door, 9) == 0);
	CHECK(getsockname(door, (struct sockaddr *)&name, &length) == 0);
	*port = ntohs(name.sin6_port);
	return door;
}

/* ends[0] has connected, ends[1] was accepted */
static void connect_to(int door, int port, int ends[2])
{
	struct sockaddr_in to = here(port);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(ends[0], (struct sockaddr *)&to, sizeof to) == 0);
	ends[1] = accept(door, NULL, NULL);
	CHECK(ends[1] >= 0);
}

static void names_of(int fd, struct sockaddr_in6 names[2])
{
	socklen_t length = sizeof names[0];
	memset(names, 0, 2 * sizeof names[0]);
	CHECK(getsockname(fd, (struct sockaddr *)&names[0], &length) == 0);
	length = sizeof names[1];
	CHECK(getpeername(fd, (struct sockaddr *)&names[1], &length) == 0);
}

static long fill(int fd, unsigned *state)
{
	unsigned char bytes[1000];
	long all = 0;
	for (ssize_t part = 1; part > 0 && all < LARGE; all += part > 0 ? part : 0) {
		unsigned next = *state;
		for (unsigned n = 0; n < sizeof bytes; n++)
			bytes[n] = (next = next * 1103515245 + 12345) >> 16;
		part = send(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		for (ssize_t n = 0; n < part; n++)
			*state = *state * 1103515245 + 12345;
	}
	return all;
}

static void drain(int fd, unsigned state, long all)
{
	unsigned char bytes[4096];
	while (all > 0) {
		ssize_t part = recv(fd, bytes, all < (long)sizeof bytes ? (size_t)all : sizeof bytes, 0);
		CHECK(part > 0);
		for (ssize_t n = 0; n < part; n++)
			CHECK(bytes[n] == (unsigned char)((state = state * 1103515245 + 12345) >> 16));
		all -= part;
	}
	CHECK(recv(fd, bytes, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static void *wait_to_accept(void *door)
{
	int guest = accept(*(int *)door, NULL, NULL);
	char byte;
	CHECK(guest >= 0 && read(guest, &byte, 1) == 1 && byte == 'w' && write(guest, "W", 1) == 1);
	return NULL;
}

static void *wait_to_read(void *fd)
{
	char bytes[8];
	CHECK(recv(*(int *)fd, bytes, 3, MSG_WAITALL) == 3 && !memcmp(bytes, "got", 3));
	return NULL;
}

static void check_datagrams(int one, int other, int port, int far_port)
{
	char bytes[100];
	struct sockaddr_in from;
	socklen_t length = sizeof from;
	CHECK(recvfrom(one, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length) == 5 &&
	      !memcmp(bytes, "first", 5));
	CHECK(ntohs(from.sin_port) == far_port);
	CHECK(recv(one, bytes, sizeof bytes, 0) == 6 && recv(one, bytes, sizeof bytes, MSG_DONTWAIT) < 0);
	CHECK(recv(other, bytes, sizeof bytes, 0) == 4 && !memcmp(bytes, "back", 4));
	CHECK(send(other, "again", 5, 0) == 5 && recv(one, bytes, sizeof bytes, 0) == 5);
	length = sizeof from;
	CHECK(getsockname(one, (struct sockaddr *)&from, &length) == 0 && ntohs(from.sin_port) == port);
	CHECK(option(one, SOL_SOCKET, SO_RCVBUF) == 100000 && option(one, IPPROTO_IP, IP_TOS) == 16);
}

int main(void)
{
	int port, other_port, busy[2], half[2], gone[2], over[2], mixed[2], quiet[2], fd = -1;
	unsigned there = 1, back = 2, there_state = there, back_state = back;
	struct sockaddr_in6 names[2][2], now[2];
	struct timeval patience = { 7, 0 };
	char bytes[100];
	socklen_t length;
	int door = open_door(AF_INET, &port), wide = open_door(AF_INET6, &other_port);
	set(door, SOL_SOCKET, SO_KEEPALIVE, 1);
	connect_to(door, port, busy);
	connect_to(door, port, half);
	connect_to(door, port, gone);
	connect_to(door, port, over);
	connect_to(wide, other_port, mixed);
	connect_to(door, port, quiet);
	set(busy[0], IPPROTO_TCP, TCP_NODELAY, 1);
	set(busy[1], IPPROTO_TCP, TCP_KEEPIDLE, 77);
	CHECK(setsockopt(busy[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
	CHECK(fcntl(busy[0], F_SETFL, O_NONBLOCK) == 0);
	long sent = fill(busy[0], &there_state), returned = fill(busy[1], &back_state);
	CHECK(sent > 100000 && returned > 100000 && sent < LARGE);
	CHECK(write(half[0], "request", 7) == 7 && shutdown(half[0], SHUT_WR) == 0);
	CHECK(write(gone[0], "last words", 10) == 10 && close(gone[0]) == 0);
	CHECK(shutdown(over[0], SHUT_WR) == 0 && write(over[1], "answer", 6) == 6 && close(over[1]) == 0);
	CHECK(write(mixed[0], "six", 3) == 3);
	names_of(busy[0], names[0]);
	names_of(mixed[1], names[1]);

	int poll_ = epoll_create1(0), waiting = socket(AF_INET, SOCK_STREAM, 0),
	    bound = socket(AF_INET, SOCK_STREAM, 0);
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 42 };
	CHECK(epoll_ctl(poll_, EPOLL_CTL_ADD, half[1], &event) == 0);
	struct sockaddr_in to = here(other_port), any = here(0), from;
	CHECK(connect(waiting, (struct sockaddr *)&to, sizeof to) == 0);
	CHECK(bind(bound, (struct sockaddr *)&any, sizeof any) == 0);

	int one = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
	length = sizeof any;
	CHECK(bind(one, (struct sockaddr *)&any, sizeof any) == 0 &&
	      getsockname(one, (struct sockaddr *)&any, &length) == 0);
	CHECK(connect(other, (struct sockaddr *)&any, sizeof any) == 0);
	set(one, SOL_SOCKET, SO_RCVBUF, 50000);
	set(one, IPPROTO_IP, IP_TOS, 16);
	length = sizeof from;
	CHECK(getsockname(other, (struct sockaddr *)&from, &length) == 0);
	CHECK(send(other, "first", 5, 0) == 5 && send(other, "second", 6, 0) == 6);
	CHECK(sendto(one, "back", 4, 0, (struct sockaddr *)&from, sizeof from) == 4);

	pthread_t accepts, reads;
	CHECK(pthread_create(&accepts, NULL, wait_to_accept, &door) == 0);
	CHECK(pthread_create(&reads, NULL, wait_to_read, &quiet[1]) == 0);
	linger();
	names_of(busy[0], now);
	CHECK(!memcmp(now, names[0], sizeof now));
	names_of(mixed[1], now);
	CHECK(!memcmp(now, names[1], sizeof now) && now[0].sin6_family == AF_INET6);
	CHECK(option(busy[0], IPPROTO_TCP, TCP_NODELAY) == 1 && option(busy[1], IPPROTO_TCP, TCP_NODELAY) == 0);
	CHECK(option(busy[1], IPPROTO_TCP, TCP_KEEPIDLE) == 77 && option(busy[1], SOL_SOCKET, SO_KEEPALIVE) == 1);
	CHECK(option(busy[0], SOL_SOCKET, SO_KEEPALIVE) == 0 && option(door, SOL_SOCKET, SO_REUSEADDR) == 0);
	length = sizeof patience;
	CHECK(getsockopt(busy[1], SOL_SOCKET, SO_RCVTIMEO, &patience, &length) == 0 && patience.tv_sec == 7);
	CHECK(fcntl(busy[0], F_GETFL) & O_NONBLOCK && option(busy[0], SOL_SOCKET, SO_ERROR) == 0);
	CHECK(fcntl(busy[0], F_SETFL, 0) == 0);
	drain(busy[1], there, sent);
	drain(busy[0], back, returned);
	CHECK(write(busy[1], "more", 4) == 4 && read(busy[0], bytes, sizeof bytes) == 4);

	CHECK(epoll_wait(poll_, &event, 1, 0) == 1 && event.data.u32 == 42);
	CHECK(read(half[1], bytes, sizeof bytes) == 7 && read(half[1], bytes, sizeof bytes) == 0);
	CHECK(send(half[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	CHECK(write(half[1], "reply", 5) == 5 && read(half[0], bytes, sizeof bytes) == 5);
	CHECK(read(gone[1], bytes, sizeof bytes) == 10 && read(gone[1], bytes, sizeof bytes) == 0);
	CHECK(read(over[0], bytes, sizeof bytes) == 6 && read(over[0], bytes, sizeof bytes) == 0);
	CHECK(read(mixed[1], bytes, sizeof bytes) == 3 && write(mixed[1], "ok", 2) == 2 &&
	      read(mixed[0], bytes, 9) == 2);

	fd = accept(wide, NULL, NULL);
	CHECK(fd >= 0 && write(waiting, "late", 4) == 4 && read(fd, bytes, sizeof bytes) == 4);
	CHECK(option(wide, SOL_SOCKET, SO_ACCEPTCONN) == 1 && listen(bound, 1) == 0);
	check_datagrams(one, other, ntohs(any.sin_port), ntohs(from.sin_port));

	to = here(port);
	int caller = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(caller, (struct sockaddr *)&to, sizeof to) == 0 && write(caller, "w", 1) == 1);
	CHECK(read(caller, bytes, 1) == 1 && bytes[0] == 'W' && write(quiet[0], "got", 3) == 3);
	CHECK(pthread_join(accepts, NULL) == 0 && pthread_join(reads, NULL) == 0);
	close(busy[0]);
	CHECK(read(busy[1], bytes, 1) == 0);
	return done();
}
