/* Unix sockets that have names, have half ended, have lost a partner; datagrams and who has sent them. */
#include "names.h"
#include <poll.h>
#include <sys/stat.h>

static void connect_to(int fd, const char *path)
{
	struct sockaddr_un address = at(path);
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
}

static void expect(int fd, const char *text)
{
	char found[100];
	ssize_t got = recv(fd, found, sizeof found, MSG_DONTWAIT);
	CHECK(got == (ssize_t)strlen(text) && !memcmp(found, text, (size_t)got));
}

static void expect_from(int fd, const char *text, const char *path)
{
	char found[100];
	struct sockaddr_un from = { 0 };
	socklen_t length = sizeof from;
	ssize_t got = recvfrom(fd, found, sizeof found, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
	CHECK(got == (ssize_t)strlen(text) && !memcmp(found, text, (size_t)got) && !strcmp(from.sun_path, path));
}

static void say(int fd, const char *text)
{
	CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static void expect_name(int fd, int (*name_of)(int, struct sockaddr *, socklen_t *), const char *path)
{
	struct sockaddr_un found = { 0 };
	socklen_t length = sizeof found;
	CHECK(name_of(fd, (struct sockaddr *)&found, &length) == 0 && !strcmp(found.sun_path, path));
}

int main(void)
{
	int ended[2], deaf[2], left[2], empty[2], packets[2];
	int letters = bound(SOCK_DGRAM, "/tmp/letters"), writer = bound(SOCK_DGRAM, "/tmp/writer");
	int one_way = socket(AF_UNIX, SOCK_DGRAM, 0), small = socket(AF_UNIX, SOCK_STREAM, 0), room = 30000;
	int door = bound(SOCK_STREAM, "/tmp/door"), gone = bound(SOCK_SEQPACKET, "/tmp/gone");
	int caller = socket(AF_UNIX, SOCK_STREAM, 0), another = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat found;
	socklen_t length = sizeof room;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ended) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, deaf) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, left) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, empty) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets) == 0);
	connect_to(writer, "/tmp/letters");
	say(writer, "one");
	connect_to(one_way, "/tmp/letters");
	say(one_way, "by nobody");
	say(writer, "three");
	CHECK(listen(door, 3) == 0 && chmod("/tmp/door", 0606) == 0 && listen(gone, 2) == 0 &&
	      unlink("/tmp/gone") == 0);
	connect_to(caller, "/tmp/door");
	int guest = accept(door, NULL, NULL);
	say(guest, "welcome");
	say(caller, "hello");
	say(ended[0], "last");
	CHECK(shutdown(ended[0], SHUT_WR) == 0 && shutdown(deaf[0], SHUT_RD) == 0 && close(left[0]) == 0);
	say(empty[0], "a");
	CHECK(send(empty[0], "", 0, 0) == 0);
	say(empty[0], "bb");
	say(packets[0], "packet");
	CHECK(shutdown(packets[0], SHUT_WR) == 0);
	CHECK(setsockopt(small, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0);

	linger();

	expect_from(letters, "one", "/tmp/writer");
	expect_from(letters, "by nobody", "");
	expect_from(letters, "three", "/tmp/writer");
	say(one_way, "more");
	expect(letters, "more");
	expect_name(writer, getpeername, "/tmp/letters");
	expect_name(guest, getsockname, "/tmp/door");
	expect_name(caller, getpeername, "/tmp/door");
	expect(guest, "hello");
	expect(caller, "welcome");
	connect_to(another, "/tmp/door");
	CHECK(stat("/tmp/door", &found) == 0 && (found.st_mode & 0777) == 0606);
	expect_name(gone, getsockname, "/tmp/gone");
	CHECK(access("/tmp/gone", F_OK) < 0 && errno == ENOENT);
	expect(ended[1], "last");
	expect(ended[1], "");
	CHECK(send(ended[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	say(ended[1], "back");
	expect(ended[0], "back");
	expect(deaf[0], "");
	CHECK(send(deaf[1], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	struct pollfd look = { left[1], POLLIN, 0 };
	CHECK(poll(&look, 1, 0) == 1 && look.revents & POLLHUP);
	expect(left[1], "");
	CHECK(send(left[1], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	expect(empty[1], "a");
	expect(empty[1], "");
	expect(empty[1], "bb");
	expect(packets[1], "packet");
	expect(packets[1], "");
	CHECK(getsockopt(small, SOL_SOCKET, SO_SNDBUF, &room, &length) == 0 && room == 60000);
	return done();
}
