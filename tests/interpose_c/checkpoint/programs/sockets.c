/* Pairs of unix sockets with messages waiting; one that listens; one whose partner is gone. */
#include "again.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(void)
{
	char back[100000], many[50000];
	int stream[2], packets[2], datagrams[2], orphan[2];
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/tmp/door" };
	memset(many, 'm', sizeof many);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, packets) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, orphan) == 0);
	CHECK(write(stream[0], "abc", 3) == 3 && write(stream[0], many, sizeof many) == sizeof many);
	CHECK(write(stream[1], "other way", 9) == 9);
	CHECK(send(packets[0], "one", 3, 0) == 3 && send(packets[0], "three", 5, 0) == 5);
	CHECK(send(datagrams[1], "d1", 2, 0) == 2 && send(datagrams[1], "d22", 3, 0) == 3);
	CHECK(write(orphan[0], "testament", 9) == 9 && close(orphan[0]) == 0);
	int door = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(door, (struct sockaddr *)&address, sizeof address) == 0 && listen(door, 7) == 0);
	linger();
	CHECK(fcntl(stream[0], F_GETFD) == FD_CLOEXEC && fcntl(packets[1], F_GETFL) & O_NONBLOCK);
	CHECK(read(stream[1], back, 3) == 3 && !memcmp(back, "abc", 3));
	CHECK(recv(stream[1], back, sizeof many, MSG_WAITALL) == sizeof many && !memcmp(back, many, sizeof many));
	CHECK(read(stream[0], back, 100) == 9);
	CHECK(recv(packets[1], back, 100, 0) == 3 && recv(packets[1], back, 100, 0) == 5);
	CHECK(recv(packets[1], back, 100, 0) < 0 && errno == EAGAIN);
	CHECK(recv(datagrams[0], back, 100, 0) == 2 && recv(datagrams[0], back, 100, 0) == 3);
	CHECK(read(orphan[1], back, 100) == 9 && read(orphan[1], back, 100) == 0);
	int caller = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(connect(caller, (struct sockaddr *)&address, sizeof address) == 0);
	int guest = accept(door, NULL, NULL);
	CHECK(guest >= 0 && write(caller, "hi", 2) == 2 && read(guest, back, 10) == 2);
	close(stream[0]);
	CHECK(read(stream[1], back, 10) == 0);
	return done();
}
