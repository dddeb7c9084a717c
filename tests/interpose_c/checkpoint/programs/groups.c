/* Multicast groups that sockets have joined: of either family, of many senders or of chosen ones. */
#include "again.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int bound(int family, uint16_t *port)
{
	struct sockaddr_in6 any = { .sin6_family = family };
	socklen_t length = sizeof any;
	int fd = socket(family, SOCK_DGRAM, 0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&any, &length) == 0);
	*port = any.sin6_port;
	int none = 0;
	CHECK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &none, sizeof none) == 0);
	return fd;
}

static void join(int fd, const char *group)
{
	struct ip_mreqn request = { .imr_ifindex = (int)if_nametoindex("lo") };
	CHECK(inet_pton(AF_INET, group, &request.imr_multiaddr) == 1);
	CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0);
}

static void join_from(int fd, const char *group, const char *sender)
{
	struct ip_mreq_source request = { .imr_interface = { htonl(INADDR_LOOPBACK) } };
	CHECK(inet_pton(AF_INET, group, &request.imr_multiaddr) == 1);
	CHECK(inet_pton(AF_INET, sender, &request.imr_sourceaddr) == 1);
	CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &request, sizeof request) == 0);
}

static void say(const char *group, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = port };
	struct ip_mreqn from = { .imr_ifindex = (int)if_nametoindex("lo"), .imr_address = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(inet_pton(AF_INET, group, &to.sin_addr) == 1);
	CHECK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &from, sizeof from) == 0);
	CHECK(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) == 1);
	close(fd);
}

static int hears(int fd, const char *group, uint16_t port)
{
	char byte;
	say(group, port);
	return recv(fd, &byte, 1, MSG_DONTWAIT) == 1;
}

int main(void)
{
	uint16_t port, of_chosen, of_six, of_two;
	int many = bound(AF_INET, &port), chosen = bound(AF_INET, &of_chosen), six = bound(AF_INET6, &of_six);
	int two = bound(AF_INET6, &of_two);
	struct ipv6_mreq request = { .ipv6mr_interface = if_nametoindex("lo") };
	char byte;
	join(many, "239.1.2.3");
	join(many, "239.1.2.4");
	join_from(chosen, "232.1.1.1", "127.0.0.1");
	join_from(chosen, "232.1.1.2", "127.0.0.2");
	join(two, "239.1.2.5");
	CHECK(inet_pton(AF_INET6, "ff02::123", &request.ipv6mr_multiaddr) == 1);
	CHECK(setsockopt(six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) == 0);
	say("239.1.2.3", port);
	linger();
	CHECK(recv(many, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x' && recv(many, &byte, 1, MSG_DONTWAIT) < 0);
	CHECK(hears(many, "239.1.2.3", port) && hears(many, "239.1.2.4", port) && !hears(many, "239.1.2.5", port));
	CHECK(hears(chosen, "232.1.1.1", of_chosen) && !hears(chosen, "232.1.1.2", of_chosen));
	CHECK(hears(two, "239.1.2.5", of_two) && !hears(two, "239.1.2.3", of_two));
	/* no route leads to such a group on loopback: it is asked for */
	CHECK(setsockopt(six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) < 0 && errno == EADDRINUSE);
	CHECK(setsockopt(six, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request, sizeof request) == 0);
	return done();
}
