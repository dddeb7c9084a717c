/* Unix sockets between the job's processes, sockets that listen.
 *
 * Who is bound to a name comes first; then streams, connected at the door where they had been; then datagrams
 * are sent again, by whoever sent them. What had ended, and names that are gone, come last.
 */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static const struct hp_image *image;

static const struct hp_image_file *file_of(uint32_t object)
{
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	if (file->object == object && file->kind == HP_F_SOCKET)
		return file;
	return NULL;
}

static int fd_of(const struct hp_image_object *object)
{
	const struct hp_image_file *file = object ? file_of(object->id) : NULL;
	return file ? hp_fd_of_file(image, file->id) : -1;
}

static void keep(const struct hp_image_object *object, int fd)
{
	const struct hp_image_file *file = file_of(object->id);
	int on = 1;
	if (file == NULL) {
		close(fd);
		return;
	}
	if (object->seals)
		(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	if (object->extra[0] == AF_UNIX && hp_socket_options(image, object->id, fd))
		hp_together_fail(errno, "options of a socket");
	if (fcntl(fd, F_SETFL, (int)file->flags & (O_NONBLOCK | O_ASYNC)))
		hp_together_fail(errno, "flags of a socket");
	hp_put_fd(fd, hp_fd_of_file(image, file->id));
}

/* ---- names ------------------------------------------------------------------------------------ */

static socklen_t address_of(struct sockaddr_un *address, const void *path, size_t length)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	length = length < sizeof address->sun_path ? length : sizeof address->sun_path;
	memcpy(address->sun_path, path, length);
	return (socklen_t)(sizeof address->sun_family + length);
}

static bool has_address(const struct hp_image_object *object, const void *path, size_t length)
{
	return object->kind == HP_O_SOCKET && object->extra[0] == AF_UNIX && object->path_bytes == length && length &&
	       !memcmp(hp_image_path(object), path, length);
}

/* Where the file is that it was bound to, or its door; NULL: nowhere. */
static const char *place_of(const struct hp_image_object *object)
{
	if (object->inode == 0)
		return NULL;
	HP_EACH(image, hp_image_name, HP_R_NAME, name)
	if (S_ISSOCK(name->mode) && name->inode == object->inode && name->device == object->device)
		return (const char *)(name + 1);
	return NULL;
}

/* By which somebody else finds it, whatever it was bound to. */
static socklen_t way_to(struct sockaddr_un *address, const struct hp_image_object *object)
{
	const char *place = place_of(object);
	return place ? address_of(address, place, strlen(place) + 1) :
		       address_of(address, hp_image_path(object), object->path_bytes);
}

/* To a relative name from the directory where that leads to its file, which may have got another name since. */
static int bind_name(int fd, const struct hp_image_object *object)
{
	struct sockaddr_un address;
	socklen_t length = address_of(&address, hp_image_path(object), object->path_bytes);
	const char *place = place_of(object);
	size_t name = strnlen(address.sun_path, sizeof address.sun_path);
	bool is_relative = name && address.sun_path[0] != '/';
	char from[sizeof address.sun_path] = "";
	if (is_relative && (!place || strlen(place) <= name || strlen(place) >= sizeof from)) {
		errno = EBADMSG;
		return -1;
	}
	if (is_relative)
		memcpy(from, place, strlen(place) - name);
	if (is_relative && chdir(from))
		return -1;
	if (name)
		(void)unlink(address.sun_path);
	int failed = bind(fd, (struct sockaddr *)&address, length);
	if (!failed && place && !is_relative && strcmp(place, address.sun_path))
		failed = rename(address.sun_path, place);
	return is_relative && chdir("/") ? -1 : failed;
}

static void bind_to(int fd, const struct hp_image_object *object)
{
	if (bind_name(fd, object))
		hp_together_fail(errno, "binding a socket to %.100s", hp_image_path(object));
}

/* Somebody else of the job has it. */
static bool is_others(const char *name)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	{
		const char *place =
			object->kind == HP_O_SOCKET && object->extra[0] == AF_UNIX ? place_of(object) : NULL;
		if (place && !strcmp(place, name))
			return true;
	}
	return false;
}

static void settle_name(const struct hp_image_object *object)
{
	struct sockaddr_un address;
	(void)way_to(&address, object);
	if (object->path_bytes == 0 || object->size == HP_NAME_UNKNOWN)
		return;
	if (object->size != HP_NAME_GONE) {
		if (chmod(address.sun_path, (mode_t)object->size & 07777) && errno != ENOENT)
			hp_together_fail(errno, "rights of %.100s", address.sun_path);
	} else if (!is_others(address.sun_path)) {
		(void)unlink(address.sun_path); /* a partner's name is its door's, which has been here already */
	}
}

static int make_single(const struct hp_image_object *object)
{
	int fd = socket(AF_UNIX, (int)object->extra[1], 0);
	if (fd < 0)
		hp_together_fail(errno, "making a socket");
	if (object->path_bytes)
		bind_to(fd, object);
	if (object->extra[2] && listen(fd, (int)object->extra[5]))
		hp_together_fail(errno, "listening");
	return fd;
}

/* ---- what waits in them --------------------------------------------------------------------------- */

static int sender_of(const void *path, size_t length, int otherwise)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (has_address(object, path, length) && object->extra[1] == SOCK_DGRAM && fd_of(object) >= 0)
		return fd_of(object);
	return otherwise;
}

/* `from`: whoever is at its other end, or nobody in particular; `to`: where it is known by a name only. */
static void fill(const struct hp_image_object *object, int from, const struct sockaddr_un *to, socklen_t to_bytes)
{
	const uint8_t *at = hp_image_extra(object), *end = at + object->extra_bytes;
	int most = 8 << 20, usual = 0;
	socklen_t length = sizeof usual;
	if (at == end || getsockopt(from, SOL_SOCKET, SO_SNDBUF, &usual, &length))
		return;
	(void)setsockopt(from, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
	while (at < end) {
		struct hp_image_letter head;
		if ((size_t)(end - at) < sizeof head)
			hp_together_fail(EBADMSG, "filling a socket");
		memcpy(&head, at, sizeof head);
		at += sizeof head;
		if (head.address_bytes > (size_t)(end - at) || head.bytes > (size_t)(end - at) - head.address_bytes)
			hp_together_fail(EBADMSG, "filling a socket");
		int sender = to ? sender_of(at, head.address_bytes, from) : from;
		at += head.address_bytes;
		if (sendto(sender, at, head.bytes, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to,
			   to_bytes) != (ssize_t)head.bytes)
			hp_together_fail(errno, "filling a socket");
		at += head.bytes;
	}
	usual /= 2; /* told twice as large as set: socket(7) */
	(void)setsockopt(from, SOL_SOCKET, SO_SNDBUF, &usual, sizeof usual);
}

static void send_datagrams(const struct hp_image_object *object)
{
	struct sockaddr_un address;
	socklen_t length = way_to(&address, object);
	int anybody = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (anybody < 0)
		hp_together_fail(errno, "making a socket");
	fill(object, anybody, &address, length);
	close(anybody);
}

/* ---- pairs --------------------------------------------------------------------------------------- */

static const struct hp_image_object *door_of(const struct hp_image_object *end)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (end && object->extra[2] && object->extra[1] == end->extra[1] &&
	    has_address(object, hp_image_path(end), end->path_bytes))
		return object;
	return NULL;
}

/* Through a door: so both know the name they met at. False: it is not there any more. */
static bool meet(const struct hp_image_object *inside, const struct hp_image_object *caller, int *ends)
{
	struct sockaddr_un address;
	const struct hp_image_object *door = door_of(inside);
	if (inside == NULL || inside->path_bytes == 0)
		return false;
	socklen_t length = way_to(&address, inside);
	struct stat found;
	bool is_taken = door == NULL && address.sun_path[0] && lstat(address.sun_path, &found) == 0;
	int own = door || is_taken ? -1 : socket(AF_UNIX, (int)inside->extra[1], 0);
	if (is_taken || (own >= 0 && (bind_name(own, inside) || listen(own, 1))))
		return false;
	struct pollfd waits = { door ? fd_of(door) : own, POLLIN, 0 };
	ends[1] = socket(AF_UNIX, (int)inside->extra[1], 0);
	if (ends[1] < 0)
		hp_together_fail(errno, "making a socket");
	if (caller && caller->path_bytes)
		bind_to(ends[1], caller);
	bool met = connect(ends[1], (struct sockaddr *)&address, length) == 0 && poll(&waits, 1, 0) == 1;
	ends[0] = met ? accept(waits.fd, NULL, NULL) : -1;
	if (own >= 0) {
		close(own);
		if (address.sun_path[0] && inside->size == HP_NAME_GONE)
			(void)unlink(address.sun_path);
	}
	if (ends[0] < 0)
		close(ends[1]);
	return ends[0] >= 0;
}

/* Somebody who has gone: with something unread, where it had been so. */
static void leave(const struct hp_image_object *object, const int *ends)
{
	if (object->extra[3] & HP_ENDS_UNREAD && send(ends[0], "", 1, MSG_NOSIGNAL) != 1)
		hp_together_fail(errno, "ending a pair of sockets");
	close(ends[1]);
}

static void make_pair(const struct hp_image_object *object, const struct hp_image_object *peer)
{
	int ends[2], turned[2];
	bool is_stream = object->extra[1] != SOCK_DGRAM;
	bool is_caller = peer && peer->path_bytes && (!object->path_bytes || door_of(peer));
	if (is_stream && is_caller && meet(peer, object, turned))
		ends[0] = turned[1], ends[1] = turned[0];
	else if (!(is_stream && !is_caller && meet(object, peer, ends)) &&
		 socketpair(AF_UNIX, (int)object->extra[1], 0, ends))
		hp_together_fail(errno, "making a pair of sockets");
	if (!is_stream && object->path_bytes)
		bind_to(ends[0], object);
	if (!is_stream && peer && peer->path_bytes)
		bind_to(ends[1], peer);
	fill(object, ends[1], NULL, 0);
	if (peer)
		fill(peer, ends[0], NULL, 0), keep(peer, ends[1]);
	else
		leave(object, ends);
	keep(object, ends[0]);
}

static bool is_connected_back(const struct hp_image_object *object, const struct hp_image_object *peer)
{
	return peer && peer->kind == HP_O_SOCKET && peer->extra[4] == object->id;
}

/* Has or had a partner, of datagrams one that it could not have found by a name. */
static bool is_of_a_pair(const struct hp_image_object *object)
{
	const struct hp_image_object *peer = hp_image_object(image, (uint32_t)object->extra[4]);
	if (object->extra[1] == SOCK_DGRAM && peer)
		return is_connected_back(object, peer) && (!object->path_bytes || !peer->path_bytes);
	if (object->extra[1] == SOCK_DGRAM)
		return !object->path_bytes && object->extra_bytes;
	return !object->extra[2] && (peer || object->extra[3] & HP_ENDS_MET);
}

static void make_singles(void)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_SOCKET && object->extra[0] != AF_UNIX)
		keep(object, hp_inet_made(object->id));
	else if (object->kind == HP_O_SOCKET && !is_of_a_pair(object))
		keep(object, make_single(object));
}

static void make_pairs(void)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	{
		if (object->kind != HP_O_SOCKET || object->extra[0] != AF_UNIX || !is_of_a_pair(object))
			continue;
		const struct hp_image_object *peer = hp_image_object(image, (uint32_t)object->extra[4]);
		if (peer && !is_connected_back(object, peer))
			hp_together_fail(EBADMSG, "a socket whose partner has another");
		if (peer == NULL || object->id < peer->id)
			make_pair(object, peer);
	}
}

static void settle(const struct hp_image_object *object, int fd)
{
	struct sockaddr_un address;
	const struct hp_image_object *peer = hp_image_object(image, (uint32_t)object->extra[4]);
	if (peer && !is_of_a_pair(object)) {
		socklen_t length = way_to(&address, peer);
		if (connect(fd, (struct sockaddr *)&address, length))
			hp_together_fail(errno, "connecting a socket with %.100s", address.sun_path);
	}
	int how = hp_ends_of(object);
	if (how >= 0)
		(void)shutdown(fd, how);
}

void hp_make_sockets(const struct hp_image *of)
{
	image = of;
	make_singles();
	make_pairs();
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_SOCKET && object->extra[0] == AF_UNIX && object->extra[1] == SOCK_DGRAM &&
	    object->path_bytes && !is_of_a_pair(object))
		send_datagrams(object);
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_SOCKET && object->extra[0] == AF_UNIX && fd_of(object) >= 0)
		settle(object, fd_of(object));
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	{
		if (object->kind != HP_O_SOCKET || object->extra[0] != AF_UNIX)
			continue;
		settle_name(object);
		if (fd_of(object) >= 0 && hp_socket_filter(image, object->id, fd_of(object)))
			hp_together_fail(errno, "the filter of a socket");
	}
}
