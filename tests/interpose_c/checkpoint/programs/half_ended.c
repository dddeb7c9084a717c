/* Sockets of which shutdown() has ended a side, and errors that nobody has been told yet. */
#include "again.h"
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

static struct sockaddr_in here(int fd)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof name;
	if (fd >= 0)
		CHECK(getsockname(fd, (struct sockaddr *)&name, &length) == 0);
	return name;
}

static int bound(int type)
{
	struct sockaddr_in name = here(-1);
	int fd = socket(AF_INET, type, 0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0);
	return fd;
}

static int connected(int to)
{
	struct sockaddr_in name = here(to);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(connect(fd, (struct sockaddr *)&name, sizeof name) == 0);
	return fd;
}

/* Where nobody is. */
static struct sockaddr_in nowhere(int type)
{
	int fd = bound(type);
	struct sockaddr_in name = here(fd);
	close(fd);
	return name;
}

static short looks(int fd)
{
	struct pollfd look = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
	CHECK(poll(&look, 1, 0) >= 0);
	return look.revents;
}

static void await_error(int fd)
{
	struct pollfd look = { fd, 0, 0 };
	CHECK(poll(&look, 1, 5000) == 1 && look.revents & POLLERR);
}

static void expect_error(int fd, int error)
{
	int found = 0;
	socklen_t length = sizeof found;
	CHECK(looks(fd) & POLLERR);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &found, &length) == 0);
	errno = found;
	CHECK(found == error && !(looks(fd) & POLLERR));
}

static void expect_ends(int fd, bool reads, bool writes)
{
	char byte;
	CHECK(reads == !(looks(fd) & POLLRDHUP) && (reads || recv(fd, &byte, 1, 0) == 0));
	ssize_t got = send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	CHECK(writes ? got == 1 : got < 0 && errno == EPIPE);
}

int main(void)
{
	int drain = bound(SOCK_DGRAM), deaf = connected(drain), mute = connected(drain), both = connected(drain);
	int loose = bound(SOCK_DGRAM), lost = socket(AF_INET, SOCK_DGRAM, 0);
	int read_already = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0);
	int door = bound(SOCK_STREAM), early = socket(AF_INET, SOCK_STREAM, 0), left = bound(SOCK_STREAM);
	int stream[2], packets[2], pair[2], unread[2], quiet[2], fresh = socket(AF_UNIX, SOCK_STREAM, 0);
	char byte = 0;
	struct sockaddr_in to;
	CHECK(shutdown(deaf, SHUT_RD) == 0 && shutdown(mute, SHUT_WR) == 0 && shutdown(both, SHUT_RDWR) == 0);
	CHECK(shutdown(loose, SHUT_RD) < 0 && errno == ENOTCONN); /* it has nevertheless */
	to = nowhere(SOCK_DGRAM);
	CHECK(connect(lost, (struct sockaddr *)&to, sizeof to) == 0 && send(lost, "x", 1, 0) == 1);
	await_error(lost);
	struct sockaddr_in6 self = { .sin6_family = AF_INET6,
				     .sin6_addr = IN6ADDR_LOOPBACK_INIT,
				     .sin6_port = to.sin_port };
	CHECK(connect(six, (struct sockaddr *)&self, sizeof self) == 0 && send(six, "x", 1, 0) == 1);
	await_error(six);
	to = nowhere(SOCK_STREAM);
	CHECK(connect(read_already, (struct sockaddr *)&to, sizeof to) < 0 && errno == ECONNREFUSED);
	int refused = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(connect(refused, (struct sockaddr *)&to, sizeof to) < 0 && errno == EINPROGRESS);
	await_error(refused);
	CHECK(listen(door, 5) == 0 && listen(left, 5) == 0 && shutdown(left, SHUT_RD) == 0);
	to = here(door);
	CHECK(connect(early, (struct sockaddr *)&to, sizeof to) == 0 && shutdown(early, SHUT_RD) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0 && shutdown(stream[0], SHUT_WR) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets) == 0 && shutdown(packets[0], SHUT_RD) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 && shutdown(pair[0], SHUT_WR) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, unread) == 0 && send(unread[0], "x", 1, 0) == 1);
	CHECK(send(unread[1], "left", 4, 0) == 4 && close(unread[1]) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) == 0 && close(quiet[1]) == 0);
	CHECK(shutdown(fresh, SHUT_RDWR) == 0);
	linger();
	expect_ends(deaf, false, true);
	expect_ends(mute, true, false);
	expect_ends(both, false, false);
	CHECK(looks(both) & POLLHUP && looks(loose) & POLLRDHUP);
	CHECK(recv(drain, &byte, 1, MSG_DONTWAIT) == 1 && recv(drain, &byte, 1, MSG_DONTWAIT) < 0);
	expect_error(lost, ECONNREFUSED);
	expect_error(six, ECONNREFUSED);
	expect_error(refused, ECONNREFUSED);
	CHECK(!(looks(read_already) & POLLERR));
	CHECK(connect(refused, (struct sockaddr *)&to, sizeof to) < 0);
	int late = accept(door, NULL, NULL), none = 0;
	CHECK(late >= 0 && recv(early, &byte, 1, MSG_DONTWAIT) == 0 && send(early, "e", 1, 0) == 1);
	CHECK(recv(late, &byte, 1, 0) == 1 && byte == 'e');
	socklen_t length = sizeof none;
	CHECK(getsockopt(left, SOL_SOCKET, SO_ACCEPTCONN, &none, &length) == 0 && !none && listen(left, 1) == 0);
	expect_ends(stream[0], true, false);
	CHECK(recv(stream[1], &byte, 1, 0) == 0 && send(stream[1], "x", 1, 0) == 1);
	expect_ends(packets[0], false, true);
	expect_ends(packets[1], true, false);
	expect_ends(pair[0], true, false);
	CHECK(send(pair[1], "x", 1, 0) == 1 && recv(pair[0], &byte, 1, 0) == 1);
	CHECK(recv(unread[0], &byte, 1, 0) == 1 && byte == 'l' && recv(unread[0], &byte, 1, 0) == 1);
	CHECK(recv(unread[0], &byte, 1, 0) == 1 && recv(unread[0], &byte, 1, 0) == 1);
	CHECK(recv(unread[0], &byte, 1, 0) < 0 && errno == ECONNRESET && recv(unread[0], &byte, 1, 0) == 0);
	CHECK(!(looks(quiet[0]) & POLLERR) && recv(quiet[0], &byte, 1, 0) == 0);
	CHECK(recv(fresh, &byte, 1, MSG_DONTWAIT) < 0 && errno == EINVAL);
	return done();
}
