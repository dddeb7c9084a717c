/* Sockets of the Internet families: what listens, and connections whose both ends are the job's.
 *
 * What of a connection has been sent and not been received yet lies in two queues: the sender's has
 * also what the receiver already has and has not acknowledged. Their numbers tell (TCP_REPAIR, which
 * the owner of a network namespace may use).
 */
#include "dump.h"
#include "inet_diag.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define REPAIR_OFF (-1) /* without a probe: TCP_REPAIR_OFF_NO_WP */
#define CONTENT_MOST (64u << 20)
#define SIOCOUTQ_ 0x5411

struct inet {
	struct hp_dump *dump;
	struct hp_image_object *object;
	pid_t pid;
	int number, fd;
	struct sockaddr_storage names[2]; /* ours, theirs */
	uint8_t *content;
	size_t used;
};

static bool cannot(const struct inet *inet, const char *why)
{
	return hp_refuse("process %d: descriptor %d is a socket %s", (int)inet->pid, inet->number, why);
}

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t length = sizeof value;
	return getsockopt(fd, level, name, &value, &length) ? -1 : value;
}

static int events_of(int fd)
{
	struct pollfd look = { fd, POLLIN | POLLRDHUP, 0 };
	return poll(&look, 1, 0) < 0 ? 0 : look.revents;
}

static int state_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof info;
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) ? 0 : info.tcpi_state;
}

static bool has_sent_its_end(int state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/* ---- queues ------------------------------------------------------------------------------------ */

static bool more_room(struct inet *inet, size_t bytes)
{
	if (bytes > CONTENT_MOST - inet->used)
		return cannot(inet, "with too much waiting to be received");
	uint8_t *larger = realloc(inet->content, inet->used + bytes + 1);
	if (larger == NULL)
		return hp_refuse("no memory");
	inet->content = larger;
	return true;
}

/* MSG_PEEK from the beginning, whatever the job has set. */
static bool peek_stream(struct inet *inet)
{
	int bytes = 0, none = -1, before = option(inet->fd, SOL_SOCKET, SO_PEEK_OFF);
	if (ioctl(inet->fd, FIONREAD, &bytes) || bytes < 0)
		return cannot(inet, "of which the kernel tells nothing");
	if (!more_room(inet, (size_t)bytes))
		return false;
	if (before >= 0)
		(void)setsockopt(inet->fd, SOL_SOCKET, SO_PEEK_OFF, &none, sizeof none);
	ssize_t got = bytes ? recv(inet->fd, inet->content, (size_t)bytes, MSG_PEEK | MSG_DONTWAIT) : 0;
	if (before >= 0)
		(void)setsockopt(inet->fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof before);
	if (got != bytes)
		return cannot(inet, "with urgent bytes on their way");
	inet->used = (size_t)bytes;
	return true;
}

static bool repair(int fd, int queue, uint32_t *sequence)
{
	int on = 1;
	socklen_t length = sizeof *sequence;
	return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue) == 0 &&
	       getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, sequence, &length) == 0;
}

static void end_repair(int fd, int reuses)
{
	int off = REPAIR_OFF;
	if (option(fd, IPPROTO_TCP, TCP_REPAIR) != 1)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuses, sizeof reuses); /* repair has reset it */
}

/* What the sender still has and we have not. */
static bool add_unsent(struct inet *inet, int sender, size_t queued)
{
	uint32_t written, received;
	int reuse_there = option(sender, SOL_SOCKET, SO_REUSEADDR);
	int reuse_here = option(inet->fd, SOL_SOCKET, SO_REUSEADDR);
	uint8_t *all = malloc(queued + 1);
	bool fine = all && repair(inet->fd, TCP_RECV_QUEUE, &received) && repair(sender, TCP_SEND_QUEUE, &written);
	ssize_t got = fine ? recv(sender, all, queued, MSG_PEEK | MSG_DONTWAIT) : -1;
	end_repair(sender, reuse_there);
	end_repair(inet->fd, reuse_here);
	int32_t missing = (int32_t)(written - has_sent_its_end(state_of(sender)) - received);
	missing = missing < 0 ? 0 : missing; /* the end has been received too */
	fine = fine && got >= missing && more_room(inet, (size_t)missing);
	if (fine) {
		memcpy(inet->content + inet->used, all + got - missing, (size_t)missing);
		inet->used += (size_t)missing;
	}
	free(all);
	return fine || cannot(inet, "of which it cannot be told what is on its way");
}

static bool add_from(struct inet *inet, const struct hp_inet_socket *partner)
{
	int queued = 0;
	const struct hp_process *holder = hp_dump_process(inet->dump, partner->pid);
	int fd = holder ? (int)syscall(SYS_pidfd_getfd, holder->pidfd, partner->fd, 0) : -1;
	bool fine = fd >= 0 && ioctl(fd, SIOCOUTQ_, &queued) == 0;
	if (!fine)
		(void)cannot(inet, "whose partner cannot be looked at");
	else if (queued > 0)
		fine = add_unsent(inet, fd, (size_t)queued);
	if (fd >= 0)
		close(fd);
	return fine;
}

static bool peek_datagrams(struct inet *inet)
{
	int begin = 0, before = option(inet->fd, SOL_SOCKET, SO_PEEK_OFF);
	static uint8_t bytes[1 << 16];
	if (setsockopt(inet->fd, SOL_SOCKET, SO_PEEK_OFF, &begin, sizeof begin))
		return cannot(inet, "whose messages cannot be looked at");
	for (bool fine = true; fine;) {
		struct hp_image_datagram head = { 0 };
		socklen_t length = sizeof head.from;
		ssize_t got = recvfrom(inet->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT,
				       (struct sockaddr *)head.from, &length);
		if (got < 0)
			break;
		head.bytes = (uint32_t)got;
		fine = more_room(inet, sizeof head + (size_t)got);
		if (!fine)
			return false;
		memcpy(inet->content + inet->used, &head, sizeof head);
		memcpy(inet->content + inet->used + sizeof head, bytes, (size_t)got);
		inet->used += sizeof head + (size_t)got;
		if (got == 0)
			break; /* peeking does not get past one without bytes */
	}
	(void)setsockopt(inet->fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof before);
	return true;
}

/* ---- kinds --------------------------------------------------------------------------------------- */

static bool look_at_door(struct inet *inet, const struct hp_inet_socket *door)
{
	inet->object->extra[2] = HP_I_LISTENS;
	if (door == NULL)
		return cannot(inet, "of which the kernel tells nothing");
	inet->object->extra[5] = door->backlog;
	return door->waiting <= hp_inet_socket_callers(door) ||
	       cannot(inet, "with connections not accepted yet, from somebody who is gone or outside of the job");
}

static bool look_at_partner(struct inet *inet, const struct hp_inet_socket *ours, int state)
{
	struct hp_image_object *object = inet->object;
	const struct hp_inet_socket *partner = ours ? hp_inet_socket_partner(ours) : NULL;
	bool has_ended = events_of(inet->fd) & POLLRDHUP;
	bool made;
	object->extra[3] = (has_ended ? HP_ENDS_RECEIVING : 0u) | (has_sent_its_end(state) ? HP_ENDS_SENDING : 0u);
	if (!inet->dump->own_network)
		return cannot(inet, "with a network connection");
	if (events_of(inet->fd) & POLLERR)
		return cannot(inet, "with something in its queue of errors that nobody has read");
	if (partner == ours && partner)
		return cannot(inet, "connected with itself");
	if (partner && partner->pid) {
		object->extra[2] = HP_I_PAIR;
		object->extra[4] = hp_dump_thing(inet->dump, object->device, partner->inode, HP_O_SOCKET, &made);
		return object->extra[4] && peek_stream(inet) && add_from(inet, partner);
	}
	if (partner && partner->inode == 0 && (partner->state == TCP_ESTABLISHED || partner->state == TCP_CLOSE_WAIT) &&
	    hp_inet_socket_door(&partner->ours)) {
		object->extra[2] = HP_I_WAITS;
		return partner->waiting == 0 || cannot(inet, "not accepted yet that has sent something already");
	}
	object->extra[2] = HP_I_ALONE;
	if (!has_ended)
		return cannot(inet, partner ? "whose partner has closed it, with bytes on their way" :
					      "connected with somebody outside of the job");
	return peek_stream(inet);
}

/* An error that has not been told is not told to us either, for then it would be gone: what it is follows from what
 * has happened. Who never measured how long an answer takes never had one. */
static bool look_at_what_is_over(struct inet *inet)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof info;
	if (getsockopt(inet->fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		return cannot(inet, "of which the kernel tells nothing");
	bool had_answer = info.tcpi_rtt != 0 || info.tcpi_rttvar == 0;
	inet->object->extra[2] = had_answer ? HP_I_OVER : HP_I_REFUSED;
	if (!had_answer && inet->object->extra[4] && info.tcpi_total_retrans)
		return cannot(inet, "that could not connect, and has told nobody why");
	return peek_stream(inet);
}

static bool look_at_stream(struct inet *inet)
{
	int state = state_of(inet->fd), events;
	const struct hp_inet_socket *ours = hp_inet_socket_find(inet->object->inode);
	switch (state) {
	case TCP_LISTEN:
		return look_at_door(inet, ours);
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		return cannot(inet, "in the middle of connecting");
	case TCP_CLOSE:
		events = events_of(inet->fd);
		if (!(events & POLLRDHUP))
			return true;
		if (!inet->dump->own_network)
			return cannot(inet, "that had a network connection");
		inet->object->extra[4] = (events & POLLERR) != 0;
		return look_at_what_is_over(inet);
	default:
		return look_at_partner(inet, ours, state);
	}
}

/* 239.1.2.3, 127.255.255.255 and the like: what is sent there again would be everybody's. */
static bool is_shared(const struct sockaddr_storage *name)
{
	const struct sockaddr_in *four = (const void *)name;
	const struct sockaddr_in6 *six = (const void *)name;
	if (name->ss_family == AF_INET)
		return IN_MULTICAST(ntohl(four->sin_addr.s_addr)) || four->sin_addr.s_addr == INADDR_BROADCAST ||
		       ntohl(four->sin_addr.s_addr) == 0x7fffffff;
	return IN6_IS_ADDR_MULTICAST(&six->sin6_addr);
}

/* Then what has gone wrong waits in a queue, in which more than one thing may be. */
static bool tells_errors(int fd)
{
	return option(fd, IPPROTO_IP, IP_RECVERR) == 1 || option(fd, IPPROTO_IPV6, IPV6_RECVERR) == 1 ||
	       option(fd, SOL_SOCKET, SO_TIMESTAMPING) > 0 || option(fd, SOL_SOCKET, SO_ZEROCOPY) > 0;
}

static bool look_at_datagrams(struct inet *inet, bool connected)
{
	const struct hp_inet_socket *ours = hp_inet_socket_find(inet->object->inode);
	int events = events_of(inet->fd), told = (events & POLLHUP) ? 3 : (events & POLLRDHUP) ? 1 : 0;
	bool waits = events & POLLIN, fails = events & POLLERR;
	/* of a socket without a port the kernel has no entry: that sends no more cannot be seen then */
	inet->object->extra[2] = connected ? HP_I_CONNECTED : HP_I_PLAIN;
	inet->object->extra[3] = ours ? ours->shutdown : (unsigned)told;
	if (option(inet->fd, IPPROTO_UDP, UDP_CORK) == 1)
		return cannot(inet, "that may keep back what has been sent (UDP_CORK)");
	if (fails && (!connected || waits || !inet->dump->own_network || tells_errors(inet->fd)))
		return cannot(inet, "with an error that nobody has been told yet");
	inet->object->extra[4] = fails;
	if (!inet->dump->own_network || fails) /* looking at what waits would take the error away */
		return true;
	return peek_datagrams(inet) &&
	       (inet->used == 0 || !is_shared(&inet->names[0]) ||
		cannot(inet, "bound to an address that others share, with something in it that nobody has read"));
}

bool hp_dump_inet(struct hp_dump *dump, pid_t pid, int number, int fd, struct hp_image_object *object)
{
	struct inet inet = { .dump = dump, .object = object, .pid = pid, .number = number, .fd = fd };
	int protocol = option(fd, SOL_SOCKET, SO_PROTOCOL);
	socklen_t length = sizeof inet.names[0];
	bool stream = protocol == IPPROTO_TCP && object->extra[1] == SOCK_STREAM, fine;
	if (!stream && !(protocol == IPPROTO_UDP && object->extra[1] == SOCK_DGRAM))
		return cannot(&inet, "of a kind that cannot be carried");
	if (getsockname(fd, (struct sockaddr *)&inet.names[0], &length))
		return cannot(&inet, "without an address");
	length = sizeof inet.names[1];
	bool connected = getpeername(fd, (struct sockaddr *)&inet.names[1], &length) == 0;
	object->size = (uint32_t)option(fd, SOL_SOCKET, SO_RCVBUF) |
		       (uint64_t)(uint32_t)option(fd, SOL_SOCKET, SO_SNDBUF) << 32;
	fine = stream ? look_at_stream(&inet) : look_at_datagrams(&inet, connected);
	fine = fine && hp_dump_write_socket(dump, object, fd, inet.names, sizeof inet.names, inet.content, inet.used) &&
	       (stream || hp_dump_groups(dump, pid, number, fd, object->id));
	free(inet.content);
	return fine;
}
