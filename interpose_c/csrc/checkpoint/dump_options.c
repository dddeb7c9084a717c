/* Options of sockets, where they are not what a new socket has. */
#include "dump.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#define SO_BUF_LOCK_ 72
#define VALUE_MOST 16u
#define FILTER_MOST 4096 /* instructions: BPF_MAXINSNS */

/* Numbers that Debian 12's headers do not name. */
enum {
	SO_TIMESTAMP_NEW_ = 63,
	SO_TIMESTAMPNS_NEW_ = 64,
	SO_TIMESTAMPING_NEW_ = 65,
	SO_TXREHASH_ = 74,
	SO_RCVMARK_ = 75,
	SO_PASSPIDFD_ = 76,
	SO_RCVPRIORITY_ = 82,
	SO_PASSRIGHTS_ = 83,
	IP_LOCAL_PORT_RANGE_ = 51,
	IPV6_MULTICAST_ALL_ = 29,
	IPV6_ISOLATES_ = 30,
	IPV6_RECVERR_RFC4884_ = 31,
	TCP_RTO_MAX_MS_ = 44,
	TCP_RTO_MIN_US_ = 45,
	TCP_DELACK_MAX_US_ = 46,
};

/* Those that getsockopt tells and setsockopt takes. Not among them: who is bound to what and with whom, sizes
 * of buffers, and what a connection finds out for itself. */
static const struct {
	int level, name;
} options[] = {
	{ SOL_SOCKET, SO_REUSEADDR },
	{ SOL_SOCKET, SO_REUSEPORT },
	{ SOL_SOCKET, SO_KEEPALIVE },
	{ SOL_SOCKET, SO_BROADCAST },
	{ SOL_SOCKET, SO_OOBINLINE },
	{ SOL_SOCKET, SO_DONTROUTE },
	{ SOL_SOCKET, SO_LINGER },
	{ SOL_SOCKET, SO_RCVTIMEO },
	{ SOL_SOCKET, SO_SNDTIMEO },
	{ SOL_SOCKET, SO_RCVLOWAT },
	{ SOL_SOCKET, SO_PRIORITY },
	{ SOL_SOCKET, SO_SNDBUF }, /* of a unix socket */
	{ SOL_SOCKET, SO_TIMESTAMP },
	{ SOL_SOCKET, SO_TIMESTAMPNS },
	{ SOL_SOCKET, SO_BUF_LOCK_ },
	{ SOL_SOCKET, SO_NO_CHECK },
	{ SOL_SOCKET, SO_BINDTODEVICE },
	{ SOL_SOCKET, SO_PASSSEC },
	{ SOL_SOCKET, SO_TIMESTAMPING },
	{ SOL_SOCKET, SO_RXQ_OVFL },
	{ SOL_SOCKET, SO_WIFI_STATUS },
	{ SOL_SOCKET, SO_PEEK_OFF },
	{ SOL_SOCKET, SO_NOFCS },
	{ SOL_SOCKET, SO_LOCK_FILTER },
	{ SOL_SOCKET, SO_SELECT_ERR_QUEUE },
	{ SOL_SOCKET, SO_BUSY_POLL },
	{ SOL_SOCKET, SO_MAX_PACING_RATE },
	{ SOL_SOCKET, SO_ZEROCOPY },
	{ SOL_SOCKET, SO_TIMESTAMP_NEW_ },
	{ SOL_SOCKET, SO_TIMESTAMPNS_NEW_ },
	{ SOL_SOCKET, SO_TIMESTAMPING_NEW_ },
	{ SOL_SOCKET, SO_TXREHASH_ },
	{ SOL_SOCKET, SO_RCVMARK_ },
	{ SOL_SOCKET, SO_PASSPIDFD_ },
	{ SOL_SOCKET, SO_RCVPRIORITY_ },
	{ SOL_SOCKET, SO_PASSRIGHTS_ },
	{ IPPROTO_TCP, TCP_NODELAY },
	{ IPPROTO_TCP, TCP_CORK },
	{ IPPROTO_TCP, TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL },
	{ IPPROTO_TCP, TCP_KEEPCNT },
	{ IPPROTO_TCP, TCP_SYNCNT },
	{ IPPROTO_TCP, TCP_LINGER2 },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT },
	{ IPPROTO_TCP, TCP_CONGESTION },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT },
	{ IPPROTO_TCP, TCP_MAXSEG },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS },
	{ IPPROTO_TCP, TCP_THIN_DUPACK },
	{ IPPROTO_TCP, TCP_FASTOPEN },
	{ IPPROTO_TCP, TCP_SAVE_SYN },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE },
	{ IPPROTO_TCP, TCP_INQ },
	{ IPPROTO_TCP, TCP_TX_DELAY },
	{ IPPROTO_TCP, TCP_RTO_MAX_MS_ },
	{ IPPROTO_TCP, TCP_RTO_MIN_US_ },
	{ IPPROTO_TCP, TCP_DELACK_MAX_US_ },
	{ IPPROTO_UDP, UDP_NO_CHECK6_TX },
	{ IPPROTO_UDP, UDP_NO_CHECK6_RX },
	{ IPPROTO_UDP, UDP_SEGMENT },
	{ IPPROTO_UDP, UDP_GRO },
	{ IPPROTO_IP, IP_TOS },
	{ IPPROTO_IP, IP_TTL },
	{ IPPROTO_IP, IP_RECVERR },
	{ IPPROTO_IP, IP_PKTINFO },
	{ IPPROTO_IP, IP_RECVTTL },
	{ IPPROTO_IP, IP_RECVTOS },
	{ IPPROTO_IP, IP_FREEBIND },
	{ IPPROTO_IP, IP_MTU_DISCOVER },
	{ IPPROTO_IP, IP_RECVOPTS },
	{ IPPROTO_IP, IP_RETOPTS },
	{ IPPROTO_IP, IP_PASSSEC },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR },
	{ IPPROTO_IP, IP_MINTTL },
	{ IPPROTO_IP, IP_CHECKSUM },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT },
	{ IPPROTO_IP, IP_RECVFRAGSIZE },
	{ IPPROTO_IP, IP_RECVERR_RFC4884 },
	{ IPPROTO_IP, IP_MULTICAST_IF },
	{ IPPROTO_IP, IP_MULTICAST_TTL },
	{ IPPROTO_IP, IP_MULTICAST_LOOP },
	{ IPPROTO_IP, IP_MULTICAST_ALL },
	{ IPPROTO_IP, IP_UNICAST_IF },
	{ IPPROTO_IP, IP_LOCAL_PORT_RANGE_ },
	{ IPPROTO_IPV6, IPV6_V6ONLY },
	{ IPPROTO_IPV6, IPV6_TCLASS },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS },
	{ IPPROTO_IPV6, IPV6_RECVERR },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO },
	{ IPPROTO_IPV6, IPV6_2292PKTINFO },
	{ IPPROTO_IPV6, IPV6_2292HOPOPTS },
	{ IPPROTO_IPV6, IPV6_2292DSTOPTS },
	{ IPPROTO_IPV6, IPV6_2292RTHDR },
	{ IPPROTO_IPV6, IPV6_2292HOPLIMIT },
	{ IPPROTO_IPV6, IPV6_FLOWINFO },
	{ IPPROTO_IPV6, IPV6_FLOWINFO_SEND },
	{ IPPROTO_IPV6, IPV6_MULTICAST_IF },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP },
	{ IPPROTO_IPV6, IPV6_MULTICAST_ALL_ },
	{ IPPROTO_IPV6, IPV6_ISOLATES_ },
	{ IPPROTO_IPV6, IPV6_RECVERR_RFC4884_ },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT },
	{ IPPROTO_IPV6, IPV6_RECVHOPOPTS },
	{ IPPROTO_IPV6, IPV6_RECVRTHDR },
	{ IPPROTO_IPV6, IPV6_RECVDSTOPTS },
	{ IPPROTO_IPV6, IPV6_RECVPATHMTU },
	{ IPPROTO_IPV6, IPV6_DONTFRAG },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS },
	{ IPPROTO_IPV6, IPV6_AUTOFLOWLABEL },
	{ IPPROTO_IPV6, IPV6_ADDR_PREFERENCES },
	{ IPPROTO_IPV6, IPV6_MINHOPCOUNT },
	{ IPPROTO_IPV6, IPV6_RECVORIGDSTADDR },
	{ IPPROTO_IPV6, IPV6_UNICAST_IF },
	{ IPPROTO_IPV6, IPV6_RECVFRAGSIZE },
	{ IPPROTO_IPV6, IPV6_FREEBIND },
};

/* Connected, it tells what its connection has come to, or takes it no more. */
static bool is_settled(const struct hp_image_object *object, int level, int name)
{
	if (object->extra[1] != SOCK_STREAM || object->extra[2] == HP_I_PLAIN || object->extra[2] == HP_I_LISTENS)
		return false;
	return (level == IPPROTO_TCP && (name == TCP_MAXSEG || name == TCP_WINDOW_CLAMP || name == TCP_FASTOPEN ||
					 name == TCP_FASTOPEN_CONNECT || name == TCP_FASTOPEN_NO_COOKIE)) ||
	       (level == IPPROTO_IP && (name == IP_MULTICAST_TTL || name == IP_MULTICAST_IF)) ||
	       (level == IPPROTO_IPV6 && (name == IPV6_MULTICAST_HOPS || name == IPV6_MULTICAST_IF));
}

void hp_dump_option(struct hp_dump *dump, uint32_t object, int level, int name, const void *value, size_t bytes)
{
	struct hp_image_option option = {
		.object = object, .level = (uint32_t)level, .name = (uint32_t)name, .bytes = (uint32_t)bytes
	};
	const struct hp_part part = { value, bytes };
	hp_write_record(&dump->writer, HP_R_OPTION, &option, sizeof option, &part, 1);
}

/* A program of classic BPF; of another kind the kernel does not tell. */
static bool write_filter(struct hp_dump *dump, uint32_t object, int fd)
{
	static struct sock_filter program[FILTER_MOST];
	socklen_t count = FILTER_MOST; /* of instructions, not bytes: packet(7), SO_GET_FILTER */
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, program, &count))
		return hp_refuse("a socket has a filter that cannot be read: %s", strerror(errno));
	if (count)
		hp_dump_option(dump, object, SOL_SOCKET, SO_ATTACH_FILTER, program, count * sizeof *program);
	return true;
}

bool hp_dump_write_socket(struct hp_dump *dump, struct hp_image_object *object, int fd, const void *address,
			  size_t length, const void *content, size_t bytes)
{
	const struct hp_part parts[] = { { address, length }, { content, bytes } };
	int family = (int)object->extra[0], fresh = socket(family, (int)object->extra[1] | SOCK_CLOEXEC, 0);
	object->path_bytes = (uint32_t)length;
	object->extra_bytes = (uint32_t)bytes;
	hp_write_record(&dump->writer, HP_R_OBJECT, object, sizeof *object, parts, 2);
	for (unsigned n = 0; n < sizeof options / sizeof *options; n++) {
		int level = options[n].level, name = options[n].name;
		uint8_t value[VALUE_MOST] = { 0 }, usual[VALUE_MOST] = { 0 };
		socklen_t has = sizeof value, would = sizeof usual;
		if (family == AF_UNIX ? level != SOL_SOCKET : name == SO_SNDBUF && level == SOL_SOCKET)
			continue;
		if ((family != AF_UNIX && is_settled(object, level, name)) || getsockopt(fd, level, name, value, &has))
			continue; /* not of such a socket */
		if (getsockopt(fresh, level, name, usual, &would) == 0 && has == would && !memcmp(value, usual, has))
			continue;
		if (level == SOL_SOCKET && name == SO_SNDBUF) { /* told twice as large as set */
			int room;
			memcpy(&room, value, sizeof room);
			room /= 2;
			memcpy(value, &room, sizeof room);
		}
		hp_dump_option(dump, object->id, level, name, value, has);
	}
	if (fresh >= 0)
		close(fresh);
	return write_filter(dump, object->id, fd);
}
