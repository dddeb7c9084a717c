/* Datagram sockets of the Internet families, made again: what waits in them, whom they talk to, what has ended,
 * an error that nobody has been told. */
#include "make_inet.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define ERROR_MS 5000 /* an answer over loopback, with some patience */

int hp_inet_bound_beside(const struct sockaddr *at, const struct hp_image_object *like, struct sockaddr_storage *name)
{
	socklen_t length = hp_inet_length(like);
	memset(name, 0, sizeof *name);
	memcpy(name, at, length);
	((struct sockaddr_in *)(void *)name)->sin_port = 0; /* IPv6 has it there too */
	int fd = hp_inet_fresh(like);
	hp_inet_must(bind(fd, (struct sockaddr *)name, length), "finding a port");
	hp_inet_must(getsockname(fd, (struct sockaddr *)name, &length), "finding a port");
	return fd;
}

void hp_inet_await_error(int fd)
{
	struct pollfd look = { fd, 0, 0 };
	if (poll(&look, 1, ERROR_MS) != 1 || !(look.revents & POLLERR)) {
		errno = ETIMEDOUT;
		hp_inet_fail("the error of a socket");
	}
}

/* Others made before, with which it shares its port (SO_REUSEPORT). */
static unsigned place_among_equals(const struct hp_image *image, const struct hp_image_object *object)
{
	unsigned before = 0;
	HP_EACH(image, hp_image_option, HP_R_OPTION, option)
	{
		const struct hp_image_object *other = hp_image_object(image, option->object);
		if (option->level == SOL_SOCKET && option->name == SO_REUSEPORT && other->kind == HP_O_SOCKET &&
		    other->id != object->id && other->extra[0] == object->extra[0] && other->extra[1] == SOCK_DGRAM &&
		    hp_inet_made(other->id) >= 0 &&
		    !memcmp(hp_inet_name(other, 0), hp_inet_name(object, 0), hp_inet_length(object)))
			before++;
	}
	return before;
}

/* The kernel chooses who of them gets a datagram, until a program says: the last that was bound. */
static bool claim_port(const struct hp_image *image, const struct hp_image_object *object, int fd)
{
	struct sock_filter ours = { BPF_RET | BPF_K, 0, 0, place_among_equals(image, object) };
	struct sock_fprog program = { 1, &ours };
	if (ours.k == 0 || object->extra_bytes == 0)
		return false;
	hp_inet_must(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program),
		     "filling a socket");
	return true;
}

/* Each sent by somebody who has the sender's address for a moment. */
static void send_all(const struct hp_image_object *object, int fd)
{
	const uint8_t *at = hp_image_extra(object), *end = at + object->extra_bytes;
	struct sockaddr_storage to;
	socklen_t length = sizeof to;
	hp_inet_must(getsockname(fd, (struct sockaddr *)&to, &length), "filling a socket");
	while ((size_t)(end - at) >= sizeof(struct hp_image_datagram)) {
		struct hp_image_datagram head;
		memcpy(&head, at, sizeof head);
		at += sizeof head;
		if (head.bytes > (size_t)(end - at)) {
			errno = EBADMSG;
			hp_inet_fail("filling a socket");
		}
		int sender = hp_inet_fresh(object);
		hp_inet_must(bind(sender, (const struct sockaddr *)head.from, hp_inet_length(object)),
			     "filling a socket");
		ssize_t sent = sendto(sender, at, head.bytes, MSG_DONTWAIT, (struct sockaddr *)&to, length);
		hp_inet_must(sent == (ssize_t)head.bytes ? 0 : -1, "filling a socket");
		close(sender);
		at += head.bytes;
	}
}

static void set_size(int fd, int name, uint32_t bytes)
{
	int has = 0;
	socklen_t length = sizeof has;
	if (getsockopt(fd, SOL_SOCKET, name, &has, &length) == 0 && (uint32_t)has != bytes)
		hp_inet_set(fd, SOL_SOCKET, name, (int)(bytes / 2)); /* the kernel doubles it */
}

/* Told that nobody is there, by its partner's address. */
static void be_refused(const struct hp_image_object *object, int fd)
{
	struct sockaddr_storage nobody;
	close(hp_inet_bound_beside(hp_inet_name(object, 1), object, &nobody));
	hp_inet_must(connect(fd, (struct sockaddr *)&nobody, hp_inet_length(object)), "the error of a socket");
	hp_inet_must((int)send(fd, "", 1, MSG_DONTWAIT), "the error of a socket");
	hp_inet_await_error(fd);
}

void hp_make_datagrams(const struct hp_image *image, const struct hp_image_object *object, int fd)
{
	int how = hp_ends_of(object);
	set_size(fd, SO_RCVBUF, (uint32_t)object->size);
	set_size(fd, SO_SNDBUF, (uint32_t)(object->size >> 32));
	hp_inet_must(hp_socket_options(image, object->id, fd), "options of a socket");
	hp_inet_bind(object, fd);
	bool claimed = claim_port(image, object, fd);
	send_all(object, fd);
	if (claimed)
		hp_inet_set(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0);
	if (object->extra[2] == HP_I_CONNECTED && object->extra[4])
		be_refused(object, fd);
	if (object->extra[2] == HP_I_CONNECTED)
		hp_inet_must(connect(fd, hp_inet_name(object, 1), hp_inet_length(object)), "connecting a socket again");
	if (how >= 0 && shutdown(fd, how) && errno != ENOTCONN) /* which is said, and it is done */
		hp_inet_fail("ending a socket");
}
