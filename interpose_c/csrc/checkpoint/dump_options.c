/* Options of sockets, where they are not what a new socket has. */
#include "dump.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define SO_BUF_LOCK_ 72

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
	{ IPPROTO_IP, IP_TOS },
	{ IPPROTO_IP, IP_TTL },
	{ IPPROTO_IP, IP_RECVERR },
	{ IPPROTO_IP, IP_PKTINFO },
	{ IPPROTO_IP, IP_RECVTTL },
	{ IPPROTO_IP, IP_RECVTOS },
	{ IPPROTO_IP, IP_FREEBIND },
	{ IPPROTO_IP, IP_MTU_DISCOVER },
	{ IPPROTO_IPV6, IPV6_V6ONLY },
	{ IPPROTO_IPV6, IPV6_TCLASS },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS },
	{ IPPROTO_IPV6, IPV6_RECVERR },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO },
};

void hp_dump_write_socket(struct hp_dump *dump, struct hp_image_object *object, int fd, const void *address,
			  size_t length, const void *content, size_t bytes)
{
	const struct hp_part parts[] = { { address, length }, { content, bytes } };
	int family = (int)object->extra[0], fresh = socket(family, (int)object->extra[1] | SOCK_CLOEXEC, 0);
	object->path_bytes = (uint32_t)length;
	object->extra_bytes = (uint32_t)bytes;
	hp_write_record(&dump->writer, HP_R_OBJECT, object, sizeof *object, parts, 2);
	for (unsigned n = 0; n < sizeof options / sizeof *options; n++) {
		struct hp_image_option option = { .object = object->id,
						  .level = (uint32_t)options[n].level,
						  .name = (uint32_t)options[n].name };
		uint8_t usual[HP_OPTION_MOST] = { 0 };
		socklen_t has = sizeof option.value, would = sizeof usual;
		if (family == AF_UNIX ? options[n].level != SOL_SOCKET :
					options[n].name == SO_SNDBUF && options[n].level == SOL_SOCKET)
			continue;
		if (getsockopt(fd, options[n].level, options[n].name, option.value, &has))
			continue; /* not of such a socket */
		if (getsockopt(fresh, options[n].level, options[n].name, usual, &would) == 0 && has == would &&
		    !memcmp(option.value, usual, has))
			continue;
		if (options[n].level == SOL_SOCKET && options[n].name == SO_SNDBUF) { /* told twice as large as set */
			int bytes;
			memcpy(&bytes, option.value, sizeof bytes);
			bytes /= 2;
			memcpy(option.value, &bytes, sizeof bytes);
		}
		option.bytes = has;
		hp_write_record(&dump->writer, HP_R_OPTION, &option, sizeof option, NULL, 0);
	}
	if (fresh >= 0)
		close(fresh);
}
