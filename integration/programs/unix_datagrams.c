/* Datagrams between unix sockets with names: who sent one, answers to that name, accept's peers, short buffers, signals. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "sig.h"

static struct sockaddr_un named(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	return name;
}

static int bound(int type, const char *path)
{
	struct sockaddr_un name = named(path);
	int fd = MUST(socket(AF_UNIX, type, 0));
	MUST(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	return fd;
}

static void show_from(const char *what, long got, const struct sockaddr_un *from, socklen_t length)
{
	printf("%s: %ld from %u %d \"%s\"\n", what, got, length, length ? from->sun_family : -1,
	       length > 2 ? from->sun_path : "");
}

static void client(const char *directory)
{
	char path[64], text[32] = "";
	struct sockaddr_un server = named("server"), from = { 0 };
	snprintf(path, sizeof(path), "%s/client", directory);
	int fd = bound(SOCK_DGRAM, path);
	MUST(sendto(fd, "question", 8, 0, (struct sockaddr *)&server, sizeof(server)));
	struct iovec piece = { text, sizeof(text) };
	struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &piece, .msg_iovlen = 1 };
	long got = MUST(recvmsg(fd, &message, 0));
	show_from(text, got, &from, message.msg_namelen);
	piece.iov_len = (size_t)got;
	MUST(sendmsg(fd, &message, 0)); /* back to where it came from */
	_exit(0);
}

static void datagrams(void)
{
	int server = bound(SOCK_DGRAM, "server");
	static const char *const directories[] = { "dir", "emptydir", "/tmp" };
	for (int i = 0; i < 3; i++) {
		char text[32] = "";
		struct sockaddr_un from = { 0 };
		socklen_t length = sizeof(from);
		pid_t pid = MUST(fork());
		if (pid == 0)
			client(directories[i]);
		long got = recvfrom(server, text, sizeof(text), 0, (struct sockaddr *)&from, &length);
		show_from(text, got, &from, length);
		MUST(sendto(server, "answer", 6, 0, (struct sockaddr *)&from, length));
		length = 7;
		memset(&from, 0, sizeof(from));
		got = recvfrom(server, text, 3, MSG_TRUNC, (struct sockaddr *)&from, &length);
		show_from("cut", got, &from, length);
		show_wait("client", pid);
		unlink("/tmp/client");
	}
	/* without a name, and without asking */
	struct sockaddr_un to = named("server"), from = { 0 };
	socklen_t length = sizeof(from);
	char byte;
	int nameless = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
	TRY(sendto(nameless, "n", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	VALUE(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &length));
	show_from("nameless", 1, &from, length);
	TRY(connect(nameless, (struct sockaddr *)&to, sizeof(to)));
	TRY(send(nameless, "s", 1, 0));
	VALUE(recv(server, &byte, 1, 0));
	TRY(send(nameless, "s", 1, 0));
	VALUE(recvfrom(server, &byte, 1, 0, NULL, NULL));
	VALUE(recvfrom(server, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &length));
	TRY(send(nameless, "s", 1, 0));
	VALUE(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, NOWHERE));
	length = (socklen_t)-1;
	TRY(send(nameless, "s", 1, 0));
	VALUE(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &length));
	to = named("absent");
	TRY(sendto(nameless, "n", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	to = named("small.txt");
	TRY(sendto(nameless, "n", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	to = named("dir/client"); /* nobody has it open any more */
	TRY(sendto(nameless, "n", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	to = named("nowhere/x");
	TRY(sendto(nameless, "n", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	close(server);
}

static void streams(void)
{
	int server = bound(SOCK_STREAM, "stream");
	struct sockaddr_un to = named("stream"), from = { 0 };
	socklen_t length = sizeof(from);
	MUST(listen(server, 4));
	for (int i = 0; i < 3; i++) {
		int one = i == 1 ? MUST(socket(AF_UNIX, SOCK_STREAM, 0)) : bound(SOCK_STREAM, i ? "dir/peer" : "peer");
		MUST(connect(one, (struct sockaddr *)&to, sizeof(to)));
		length = i == 2 ? 9 : sizeof(from);
		memset(&from, 0, sizeof(from));
		int peer = i == 2 ? accept4(server, (struct sockaddr *)&from, &length, SOCK_CLOEXEC) :
				    accept(server, (struct sockaddr *)&from, &length);
		show_from("accepted", peer >= 0, &from, length);
		YES(fcntl(peer, F_GETFD) == (i == 2 ? FD_CLOEXEC : 0));
		close(one);
		close(peer);
	}
}

static volatile int caught_count;
static void caught(int number)
{
	(void)number;
	caught_count++;
}

static void interrupted(void)
{
	struct sockaddr_un from;
	socklen_t length = sizeof(from);
	char byte;
	int server = bound(SOCK_STREAM, "waits"), other = bound(SOCK_DGRAM, "waits too");
	MUST(listen(server, 1));
	on(SIGALRM, caught, 0);
	alarms(2000);
	VALUE(accept(server, (struct sockaddr *)&from, &length));
	VALUE(recvfrom(other, &byte, 1, 0, (struct sockaddr *)&from, &length));
	YES(caught_count >= 2);
	on(SIGALRM, caught, SA_RESTART);
	caught_count = 0;
	pid_t pid = MUST(fork());
	if (pid == 0) {
		struct sockaddr_un to = named("waits too");
		nap(20000);
		MUST(sendto(bound(SOCK_DGRAM, "late"), "l", 1, 0, (struct sockaddr *)&to, sizeof(to)));
		_exit(0);
	}
	length = sizeof(from);
	VALUE(recvfrom(other, &byte, 1, 0, (struct sockaddr *)&from, &length));
	show_from("restarted", 1, &from, length);
	YES(caught_count >= 2);
	alarms(0);
	show_wait("late", pid);
}

int main(void)
{
	datagrams();
	streams();
	interrupted();
	return 0;
}
