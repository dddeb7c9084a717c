/* Unix sockets whose both ends are the job's, sockets without a partner.
 *
 * sock_diag (unix_diag.c) says who is connected with whom. What waits to be received is
 * peeked at. A socket connected with somebody outside cannot travel.
 */
#include "dump.h"
#include "kernel.h"
#include "hpool/shm.h"
#include "unix_diag.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SO_PASSPIDFD_ 76 /* Debian 12's headers do not name it */
#define MESSAGES_MOST (4u << 20)
#define HEAD_MOST (sizeof(struct hp_image_letter) + sizeof(struct sockaddr_un))

struct messages {
	uint8_t *bytes;
	size_t used;
};

static bool cannot(pid_t pid, int number, const char *why)
{
	return hp_refuse("process %d: descriptor %d is a socket %s", (int)pid, number, why);
}

static int option(int fd, int name)
{
	int value = 0;
	socklen_t length = sizeof value;
	return getsockopt(fd, SOL_SOCKET, name, &value, &length) ? -1 : value;
}

/* Poll tells that there is one, and takes it from nobody. */
static bool has_error(int fd)
{
	struct pollfd look = { fd, 0, 0 };
	return poll(&look, 1, 0) == 1 && look.revents & POLLERR;
}

static void drop_rights(struct msghdr *message, bool *rights)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		*rights = true;
		for (size_t n = 0; n < (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); n++) {
			int fd;
			memcpy(&fd, CMSG_DATA(part) + n * sizeof fd, sizeof fd);
			close(fd);
		}
	}
}

/* Of a stream, pieces. Only datagrams may be empty: in others that is the end. */
static bool peek(pid_t pid, int number, int fd, struct messages *to)
{
	int none = -1, begin = 0, before = option(fd, SO_PEEK_OFF);
	bool rights = false, fine = true, may_be_empty = option(fd, SO_TYPE) == SOCK_DGRAM;
	int unread = INT_MAX; /* bytes; past the last of them an error would be told to us, and to nobody else */
	if (has_error(fd) && (ioctl(fd, FIONREAD, &unread) || (unread && option(fd, SO_TYPE) != SOCK_STREAM)))
		return cannot(pid, number, "with an error that nobody has been told yet, before something that waits");
	to->bytes = malloc(MESSAGES_MOST);
	if (to->bytes == NULL || setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &begin, sizeof begin))
		return cannot(pid, number, "whose messages cannot be looked at");
	while (fine && unread > 0) {
		union {
			struct cmsghdr header;
			char room[CMSG_SPACE(253 * sizeof(int))];
		} control;
		size_t left = MESSAGES_MOST - to->used;
		if (left < HEAD_MOST + 16)
			return cannot(pid, number, "with too many messages waiting");
		struct sockaddr_un from;
		struct iovec part = { to->bytes + to->used + HEAD_MOST, left - HEAD_MOST };
		struct msghdr message = { .msg_name = &from,
					  .msg_namelen = sizeof from,
					  .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = &control,
					  .msg_controllen = sizeof control };
		ssize_t got = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (got < 0 || (got == 0 && !may_be_empty))
			break; /* nothing more, or the end */
		drop_rights(&message, &rights);
		struct hp_image_letter head = { .bytes = (uint32_t)got };
		if (may_be_empty && message.msg_namelen > sizeof from.sun_family)
			head.address_bytes = message.msg_namelen - (uint32_t)sizeof from.sun_family;
		memcpy(to->bytes + to->used, &head, sizeof head);
		to->used += sizeof head;
		memcpy(to->bytes + to->used, from.sun_path, head.address_bytes);
		to->used += head.address_bytes;
		memmove(to->bytes + to->used, part.iov_base, (size_t)got);
		to->used += (size_t)got;
		unread -= unread == INT_MAX ? 0 : (int)got;
		fine = !rights && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, before == -1 ? &none : &before, sizeof none);
	return fine || cannot(pid, number, "with descriptors on their way in a message");
}

/* One byte that overtakes the others; sent again it would be one of them. */
static bool has_urgent(int fd)
{
	char byte;
	return option(fd, SO_TYPE) == SOCK_STREAM && recv(fd, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) == 1;
}

static bool is_file(const char *path, const struct hp_unix_socket *about, struct stat *found)
{
	return lstat(path, found) == 0 && S_ISSOCK(found->st_mode) && found->st_dev == about->name_device &&
	       (uint32_t)found->st_ino == (uint32_t)about->name_inode;
}

/* Rights of its name's file, wherever that is now, or HP_NAME_*. */
static uint64_t mode_of(const struct hp_unix_socket *about)
{
	struct sockaddr_un address = { 0 };
	struct stat found;
	uint64_t inode = about->name_inode;
	char place[sizeof address.sun_path];
	memcpy(address.sun_path, about->name, about->name_bytes);
	if (about->name_bytes == 0 || about->name[0] == '\0')
		return HP_NAME_UNKNOWN;
	address.sun_path[sizeof address.sun_path - 1] = '\0';
	if (address.sun_path[0] == '/' && is_file(address.sun_path, about, &found))
		return found.st_mode & 07777;
	if (inode && hp_scratch_socket(about->name_device, &inode, place, sizeof place) && lstat(place, &found) == 0)
		return found.st_mode & 07777;
	return HP_NAME_GONE;
}

/* Restored, it is bound to that name from where that leads to its file; moved to another afterwards it is moved again. */
static bool look_at_name(pid_t pid, int number, const struct hp_unix_socket *about, struct hp_image_object *object)
{
	char place[sizeof(struct sockaddr_un) - sizeof(sa_family_t)], name[sizeof about->name + 1] = { 0 };
	uint64_t inode = about->name_inode;
	object->device = object->inode = 0;
	object->size = mode_of(about);
	memcpy(name, about->name, about->name_bytes);
	if (object->size == HP_NAME_UNKNOWN)
		return true;
	if (!strncmp(name, HP_BOUND_ASIDE, strlen(HP_BOUND_ASIDE)))
		return cannot(pid, number,
			      "bound to a name at home, where nobody could reach it afterwards: with a name "
			      "below /tmp it could travel");
	if (object->size != HP_NAME_GONE && hp_scratch_socket(about->name_device, &inode, place, sizeof place)) {
		size_t behind = strlen(place) > strlen(name) ? strlen(place) - strlen(name) : 0;
		object->device = about->name_device;
		object->inode = inode;
		if (name[0] == '/' || (behind && place[behind - 1] == '/' && !strcmp(place + behind, name)))
			return true;
	}
	return name[0] == '/' || cannot(pid, number,
					"bound to a relative name that leads to it no longer, or never did by "
					"way of /tmp: with a whole name it could travel");
}

static bool dump_unix(struct hp_dump *dump, pid_t pid, int number, int fd, struct hp_image_object *object)
{
	struct hp_unix_socket about;
	struct messages messages = { 0 };
	bool made, fine = true;
	if (!hp_unix_socket_find(object->inode, &about))
		return cannot(pid, number, "of which the kernel tells nothing");
	uint64_t device = object->device;
	if (!look_at_name(pid, number, &about, object))
		return false;
	object->extra[3] = about.shutdown | (about.state == TCP_ESTABLISHED ? HP_ENDS_MET : 0u) |
			   (has_error(fd) ? HP_ENDS_UNREAD : 0u);
	if (object->extra[3] & HP_ENDS_UNREAD && object->extra[1] == SOCK_DGRAM)
		return cannot(pid, number, "whose partner has left it for another, which nobody has been told yet");
	object->extra[5] = about.backlog;
	if (object->extra[2] && about.waiting)
		return cannot(pid, number, "with connections not accepted yet");
	if (about.peer) {
		struct hp_unix_socket other;
		object->extra[4] = hp_dump_thing(dump, device, about.peer, HP_O_SOCKET, &made);
		if (!hp_unix_socket_find(about.peer, &other) || !hp_unix_socket_held(about.peer))
			return cannot(pid, number, "connected with somebody outside of the job");
		if (other.peer != about.inode && mode_of(&other) == HP_NAME_GONE)
			return cannot(pid, number, "that sends to one who has lost its name");
	}
	if (has_urgent(fd))
		return cannot(pid, number, "with an urgent byte that nobody has read");
	if (!object->extra[2])
		fine = peek(pid, number, fd, &messages);
	if (fine && messages.used && (object->seals || option(fd, SO_PASSPIDFD_) == 1))
		fine = cannot(pid, number,
			      "with messages that tell who has sent them (SO_PASSCRED, SO_PASSPIDFD): nobody "
			      "else can say so again, it can travel when they are read");
	fine = fine &&
	       hp_dump_write_socket(dump, object, fd, about.name, about.name_bytes, messages.bytes, messages.used);
	free(messages.bytes);
	return fine;
}

/* extra: see IMAGE.md */
bool hp_dump_object_socket(struct hp_dump *dump, pid_t pid, int number, int fd, uint32_t *id)
{
	struct stat found;
	bool made;
	if (fstat(fd, &found))
		return cannot(pid, number, strerror(errno));
	/* its partner may have been described first, and has named it */
	*id = hp_dump_thing(dump, found.st_dev, found.st_ino, HP_O_SOCKET, &made);
	struct hp_image_object object = {
		.id = *id, .kind = HP_O_SOCKET, .mode = found.st_mode, .device = found.st_dev, .inode = found.st_ino
	};
	int family = option(fd, SO_DOMAIN);
	object.extra[0] = (uint64_t)family;
	object.extra[1] = (uint64_t)option(fd, SO_TYPE);
	object.extra[2] = option(fd, SO_ACCEPTCONN) == 1;
	object.seals = option(fd, SO_PASSCRED) == 1;
	if (family == AF_UNIX)
		return dump_unix(dump, pid, number, fd, &object);
	if (family == AF_INET || family == AF_INET6)
		return hp_dump_inet(dump, pid, number, fd, &object);
	return cannot(pid, number, "of a family that cannot be carried");
}
