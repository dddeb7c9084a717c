/* See inet_diag.h. */
#include "inet_diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sock_diag.h"

static struct hp_inet_socket *sockets;
static unsigned count, room;

static void read_end(struct hp_inet_end *end, int family, const uint32_t *address, uint16_t port)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool any = family == AF_INET && address[0] == 0;
	end->port = port;
	if (family == AF_INET6) {
		memcpy(end->address, address, 16);
	} else if (!any) {
		memcpy(end->address, mapped, 12);
		memcpy(end->address + 12, address, 4);
	}
}

static uint8_t asked; /* protocol */

static int add(const struct nlmsghdr *answer)
{
	const struct inet_diag_msg *told = NLMSG_DATA(answer);
	int bytes = (int)NLMSG_PAYLOAD(answer, sizeof *told);
	if (count == room) {
		struct hp_inet_socket *larger = realloc(sockets, (room = room ? room * 2 : 64) * sizeof *larger);
		if (larger == NULL)
			return -ENOMEM;
		sockets = larger;
	}
	struct hp_inet_socket *to = &sockets[count++];
	*to = (struct hp_inet_socket){ .inode = told->idiag_inode,
				       .protocol = asked,
				       .state = told->idiag_state,
				       .waiting = told->idiag_rqueue,
				       .backlog = told->idiag_wqueue };
	read_end(&to->ours, told->idiag_family, told->id.idiag_src, told->id.idiag_sport);
	read_end(&to->theirs, told->idiag_family, told->id.idiag_dst, told->id.idiag_dport);
	for (const struct rtattr *part = (const void *)(told + 1); RTA_OK(part, bytes); part = RTA_NEXT(part, bytes))
		if (part->rta_type == INET_DIAG_SHUTDOWN && RTA_PAYLOAD(part) >= 1)
			to->shutdown = *(const uint8_t *)RTA_DATA(part);
	return 0;
}

static int read_family(uint8_t family, uint8_t protocol)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 ask;
	} question = {
		.head = { .nlmsg_len = sizeof question,
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.ask = { .sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = ~0u },
	};
	asked = protocol;
	return hp_sock_diag(&question, sizeof question, add);
}

int hp_inet_sockets_read(void)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 }, protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	int failed = 0;
	for (int n = 0; n < 4 && !failed; n++) {
		failed = read_family(families[n % 2], protocols[n / 2]);
		failed = failed == -ENOENT ? 0 : failed; /* a kernel without that family, or without its table */
	}
	return failed;
}

void hp_inet_socket_hold(uint64_t inode, pid_t pid, int fd)
{
	for (unsigned n = 0; n < count; n++)
		if (sockets[n].inode == inode)
			sockets[n].pid = pid, sockets[n].fd = fd;
}

const struct hp_inet_socket *hp_inet_socket_find(uint64_t inode)
{
	for (unsigned n = 0; n < count; n++)
		if (sockets[n].inode == inode)
			return &sockets[n];
	return NULL;
}

static bool same(const struct hp_inet_end *one, const struct hp_inet_end *other)
{
	return one->port == other->port && !memcmp(one->address, other->address, sizeof one->address);
}

const struct hp_inet_socket *hp_inet_socket_partner(const struct hp_inet_socket *of)
{
	for (unsigned n = 0; n < count; n++)
		if (sockets[n].protocol == of->protocol && sockets[n].state != TCP_LISTEN &&
		    same(&sockets[n].ours, &of->theirs) && same(&sockets[n].theirs, &of->ours))
			return &sockets[n];
	return NULL;
}

static bool lets_in(const struct hp_inet_socket *door, const struct hp_inet_end *end)
{
	static const uint8_t any[16];
	return door->ours.port == end->port && (!memcmp(door->ours.address, any, sizeof any) || same(&door->ours, end));
}

const struct hp_inet_socket *hp_inet_socket_door(const struct hp_inet_end *end)
{
	for (unsigned n = 0; n < count; n++)
		if (sockets[n].state == TCP_LISTEN && lets_in(&sockets[n], end))
			return &sockets[n];
	return NULL;
}

unsigned hp_inet_socket_callers(const struct hp_inet_socket *door)
{
	unsigned callers = 0;
	for (unsigned n = 0; n < count; n++) {
		const struct hp_inet_socket *one = &sockets[n], *caller = hp_inet_socket_partner(one);
		bool waits = one->inode == 0 && (one->state == TCP_ESTABLISHED || one->state == TCP_CLOSE_WAIT);
		callers += waits && lets_in(door, &one->ours) && caller && caller->pid;
	}
	return callers;
}
