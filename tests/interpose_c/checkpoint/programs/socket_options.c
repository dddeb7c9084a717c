/* What sockets have been told: options of every level, and filters, which look at what comes afterwards only. */
#include "again.h"
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#define KINDS 7

static const struct {
	int level, name, value;
} asked[] = {
	{ SOL_SOCKET, SO_NO_CHECK, 1 },
	{ SOL_SOCKET, SO_PASSSEC, 1 },
	{ SOL_SOCKET, SO_RXQ_OVFL, 1 },
	{ SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1 },
	{ SOL_SOCKET, SO_ZEROCOPY, 1 },
	{ SOL_SOCKET, SO_PEEK_OFF, 0 },
	{ SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE },
	{ IPPROTO_IP, IP_RECVOPTS, 1 },
	{ IPPROTO_IP, IP_MINTTL, 3 },
	{ IPPROTO_IP, IP_MULTICAST_TTL, 7 },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, 0 },
	{ IPPROTO_IP, IP_MULTICAST_ALL, 0 },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, 1 },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1 },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9 },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, 1 },
	{ IPPROTO_IPV6, IPV6_FREEBIND, 1 },
	{ IPPROTO_TCP, TCP_MAXSEG, 700 },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1 },
	{ IPPROTO_TCP, TCP_THIN_DUPACK, 1 },
	{ IPPROTO_UDP, UDP_SEGMENT, 1000 },
	{ IPPROTO_UDP, UDP_GRO, 1 },
};
#define ASKED (sizeof asked / sizeof *asked)

static int told(int fd, unsigned n)
{
	int value[4] = { -1 };
	socklen_t length = sizeof value;
	return getsockopt(fd, asked[n].level, asked[n].name, value, &length) ? -1 : value[0];
}

static void filter(int fd, unsigned at)
{
	struct sock_filter only_y[] = { { BPF_LD | BPF_B | BPF_ABS, 0, 0, at },
					{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 'y' },
					{ BPF_RET | BPF_K, 0, 0, 0xffff },
					{ BPF_RET | BPF_K, 0, 0, 0 } };
	struct sock_fprog program = { 4, only_y };
	CHECK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
}

static char received(int fd)
{
	char byte = '-';
	(void)recv(fd, &byte, 1, MSG_DONTWAIT);
	return byte;
}

int main(void)
{
	static const int kinds[KINDS][2] = { { AF_INET, SOCK_STREAM },   { AF_INET, SOCK_DGRAM },
					     { AF_INET6, SOCK_STREAM },  { AF_INET6, SOCK_DGRAM },
					     { AF_UNIX, SOCK_STREAM },   { AF_UNIX, SOCK_DGRAM },
					     { AF_UNIX, SOCK_SEQPACKET } };
	int sockets[KINDS], was[KINDS][ASKED], has[KINDS] = { 0 }, pair[2], one = 1;
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof here;
	for (int kind = 0; kind < KINDS; kind++) {
		sockets[kind] = socket(kinds[kind][0], kinds[kind][1], 0);
		for (unsigned n = 0; n < ASKED; n++)
			has[kind] += setsockopt(sockets[kind], asked[n].level, asked[n].name, &asked[n].value, 4) == 0;
		CHECK(has[kind] >= 3);
	}
	for (int kind = 0; kind < KINDS; kind++)
		for (unsigned n = 0; n < ASKED; n++)
			was[kind][n] = told(sockets[kind], n);
	int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(bind(receiver, (struct sockaddr *)&here, sizeof here) == 0);
	CHECK(getsockname(receiver, (struct sockaddr *)&here, &length) == 0);
	CHECK(connect(sender, (struct sockaddr *)&here, sizeof here) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	CHECK(write(sender, "n", 1) == 1 && write(pair[0], "n", 1) == 1);
	filter(receiver, 8); /* behind the header of UDP */
	filter(pair[1], 0);
	CHECK(setsockopt(receiver, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one) == 0);

	linger();

	for (int kind = 0; kind < KINDS; kind++)
		for (unsigned n = 0; n < ASKED; n++)
			if (told(sockets[kind], n) != was[kind][n]) {
				printf("kind %d option %d of level %d\n", kind, asked[n].name, asked[n].level);
				CHECK(told(sockets[kind], n) == was[kind][n]);
			}
	CHECK(received(receiver) == 'n' && received(pair[1]) == 'n'); /* came before there were filters */
	CHECK(write(sender, "n", 1) == 1 && write(sender, "y", 1) == 1 && received(receiver) == 'y');
	(void)send(pair[0], "n", 1, MSG_DONTWAIT);
	CHECK(write(pair[0], "y", 1) == 1 && received(pair[1]) == 'y');
	CHECK(setsockopt(receiver, SOL_SOCKET, SO_DETACH_FILTER, &one, sizeof one) < 0 && errno == EPERM);
	return done();
}
