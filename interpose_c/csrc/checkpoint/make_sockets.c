/* Unix sockets between the job's processes, sockets that listen. */
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const struct hp_image_file *file_of(const struct hp_image *image, uint32_t object)
{
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	if (file->object == object && file->kind == HP_F_SOCKET)
		return file;
	return NULL;
}

static void keep(const struct hp_image *image, const struct hp_image_object *object, int fd)
{
	const struct hp_image_file *file = file_of(image, object->id);
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

/* Its queue is filled by whoever is at its other end. */
static void fill(const struct hp_image_object *object, int other)
{
	const uint8_t *at = hp_image_extra(object), *end = at + object->extra_bytes;
	int most = 8 << 20;
	if (at == end)
		return;
	(void)setsockopt(other, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
	while (end - at >= 4) {
		uint32_t length;
		memcpy(&length, at, 4);
		at += 4;
		if (length > (size_t)(end - at) || send(other, at, length, MSG_DONTWAIT | MSG_NOSIGNAL) != length)
			hp_together_fail(errno, "filling a socket");
		at += length;
	}
}

static void make_pair(const struct hp_image *image, const struct hp_image_object *object,
		      const struct hp_image_object *peer)
{
	int ends[2];
	if (socketpair(AF_UNIX, (int)object->extra[1], 0, ends))
		hp_together_fail(errno, "making a pair of sockets");
	fill(object, ends[1]);
	if (peer)
		fill(peer, ends[0]);
	if (peer)
		keep(image, peer, ends[1]);
	else
		close(ends[1]);
	keep(image, object, ends[0]);
}

static void make_single(const struct hp_image *image, const struct hp_image_object *object)
{
	int fd = socket(AF_UNIX, (int)object->extra[1], 0);
	const char *name = hp_image_path(object);
	if (fd < 0)
		hp_together_fail(errno, "making a socket");
	if (object->path_bytes) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		size_t length =
			object->path_bytes < sizeof address.sun_path ? object->path_bytes : sizeof address.sun_path;
		memcpy(address.sun_path, name, length);
		if (name[0])
			(void)unlink(address.sun_path);
		if (bind(fd, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + length)))
			hp_together_fail(errno, "binding a socket to %.100s", name);
	}
	if (object->extra[2] && listen(fd, (int)object->extra[5]))
		hp_together_fail(errno, "listening");
	keep(image, object, fd);
}

static bool is_connected_back(const struct hp_image_object *object, const struct hp_image_object *peer)
{
	return peer && peer->kind == HP_O_SOCKET && peer->extra[4] == object->id;
}

void hp_make_sockets(const struct hp_image *image)
{
	/* who is bound first: others connect to its name */
	for (int connected = 0; connected < 2; connected++)
		HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
		{
			if (object->kind != HP_O_SOCKET)
				continue;
			if (object->extra[0] != AF_UNIX) {
				if (!connected)
					keep(image, object, hp_inet_made(object->id));
				continue;
			}
			const struct hp_image_object *peer = hp_image_object(image, (uint32_t)object->extra[4]);
			bool pair = is_connected_back(object, peer);
			bool orphan =
				!object->extra[4] && !object->extra[2] && !object->path_bytes && object->extra_bytes;
			if (!connected && !pair && !orphan && !object->extra[4]) {
				make_single(image, object);
			} else if (connected && (pair || orphan)) {
				if (orphan || object->id < peer->id)
					make_pair(image, object, orphan ? NULL : peer);
			} else if (connected && object->extra[4]) {
				hp_together_fail(EOPNOTSUPP, "a datagram socket connected one way");
			}
		}
}
