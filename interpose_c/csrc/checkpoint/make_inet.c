/* Sockets of the Internet families, made again by PID 1: before it gives up what a network's owner may do.
 *
 * A connection is made as any other is: somebody listens for a moment where it was accepted, the other
 * end is bound to its old port and connects; each sends what the other had not read yet. So what TCP
 * keeps of it is its own, and nobody has to know what that is. Those who listen come afterwards,
 * then who had connected and was not accepted yet.
 */
#include "make_inet.h"
#include "../keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define ABOVE 128 /* where PID 1 keeps nothing (checkpoint.h) */
#define OVERHEAD 4u /* of what the kernel counts for a byte that waits, at most, and some more */

static const struct hp_image *image;
static int *made; /* by number of the object; -1: none of ours */

_Noreturn void hp_inet_fail(const char *what)
{
	hp_die(errno, what);
}

void hp_inet_must(int result, const char *what)
{
	if (result < 0)
		hp_inet_fail(what);
}

void hp_inet_set(int fd, int level, int name, int value)
{
	hp_inet_must(setsockopt(fd, level, name, &value, sizeof value), "options of a socket");
}

static void apply_options(const struct hp_image_object *object)
{
	hp_inet_must(hp_socket_options(image, object->id, made[object->id]), "options of a socket");
}

const struct sockaddr *hp_inet_name(const struct hp_image_object *object, int which)
{
	return (const struct sockaddr *)(hp_image_path(object) + (size_t)which * sizeof(struct sockaddr_storage));
}

socklen_t hp_inet_length(const struct hp_image_object *object)
{
	return object->extra[0] == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

uint16_t hp_inet_port(const struct hp_image_object *object)
{
	return ((const struct sockaddr_in *)(const void *)hp_inet_name(object, 0))
		->sin_port; /* IPv6 has it there too */
}

/* ---- how much may wait -------------------------------------------------------------------------- */

/* The sizes that a new socket gets: set by setsockopt they would stay for ever, and be bounded by the machine's. */
static void set_room(const char *name, uint64_t bytes)
{
	char path[40], text[64];
	unsigned least, usual, most;
	snprintf(path, sizeof path, "sys/net/ipv4/%s", name);
	HP_AUTO_CLOSE int fd = openat(hp_proc, path, O_RDWR | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
	if (got <= 0)
		return;
	text[got] = '\0';
	if (sscanf(text, "%u %u %u", &least, &usual, &most) != 3 || bytes < least || bytes > INT32_MAX)
		return;
	int length = snprintf(text, sizeof text, "%u %u %u", least, (unsigned)bytes, most);
	(void)!pwrite(fd, text, (size_t)length, 0);
}

/* For one end: what it sends again and what it is sent. */
static void make_room(const struct hp_image_object *object, const struct hp_image_object *other)
{
	uint64_t receive = object->size & UINT32_MAX, send_ = object->size >> 32;
	uint64_t in = OVERHEAD * (uint64_t)object->extra_bytes,
		 out = other ? OVERHEAD * (uint64_t)other->extra_bytes : 0;
	set_room("tcp_rmem", receive > in ? receive : in);
	set_room("tcp_wmem", send_ > out ? send_ : out);
}

struct rooms {
	char receive[64], send[64];
};

static void keep_rooms(struct rooms *rooms, bool back)
{
	char *const texts[] = { rooms->receive, rooms->send };
	static const char *const names[] = { "sys/net/ipv4/tcp_rmem", "sys/net/ipv4/tcp_wmem" };
	for (int n = 0; n < 2; n++) {
		HP_AUTO_CLOSE int fd = openat(hp_proc, names[n], (back ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
		if (fd >= 0 && back)
			(void)!write(fd, texts[n], strlen(texts[n]));
		else if (fd >= 0)
			(void)!read(fd, texts[n], sizeof rooms->send - 1);
	}
}

/* ---- one socket -------------------------------------------------------------------------------------- */

static int high(int fd)
{
	hp_inet_must(fd, "making a socket");
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
	hp_inet_must(moved, "making a socket");
	close(fd);
	return moved;
}

/* SO_REUSEADDR for now: others have been bound to that port, too. */
int hp_inet_fresh(const struct hp_image_object *object)
{
	int fd = high(socket((int)object->extra[0], (int)object->extra[1] | SOCK_CLOEXEC, 0));
	hp_inet_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return fd;
}

void hp_inet_bind(const struct hp_image_object *object, int fd)
{
	/* with a port of 0 it was not bound; one that only its connection bound is bound by name now */
	if (hp_inet_port(object))
		hp_inet_must(bind(fd, hp_inet_name(object, 0), hp_inet_length(object)), "binding a socket again");
}

static void send_all(int fd, const struct hp_image_object *to)
{
	const uint8_t *at = hp_image_extra(to), *end = at + to->extra_bytes;
	while (at < end) {
		ssize_t part = send(fd, at, (size_t)(end - at), MSG_DONTWAIT | MSG_NOSIGNAL);
		hp_inet_must((int)(part < 0 ? -1 : 0), "filling a socket");
		at += part;
	}
}

/* ---- connections ---------------------------------------------------------------------------------- */

/* Who of the two was accepted listens for a moment; its port is that of somebody who listens, if there is one. */
static bool was_accepted(const struct hp_image_object *object)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, other)
	if (other->kind == HP_O_SOCKET && other->extra[0] != AF_UNIX && other->extra[2] == HP_I_LISTENS &&
	    hp_inet_port(other) == hp_inet_port(object))
		return true;
	return false;
}

/* Descriptors of both ends. `to` is the address of who accepts. */
static void connect_ends(const struct hp_image_object *caller, int door, int ends[2])
{
	struct sockaddr_storage to;
	socklen_t length = sizeof to;
	hp_inet_must(listen(door, 1), "listening for a connection");
	hp_inet_must(getsockname(door, (struct sockaddr *)&to, &length), "listening for a connection");
	ends[0] = hp_inet_fresh(caller);
	hp_inet_bind(caller, ends[0]);
	bool known = caller->extra[2] != HP_I_OVER;
	hp_inet_must(known ? connect(ends[0], hp_inet_name(caller, 1), hp_inet_length(caller)) :
			     connect(ends[0], (struct sockaddr *)&to, length),
		     "connecting a socket again");
	ends[1] = high(accept(door, NULL, NULL));
	close(door);
}

static void make_pair(const struct hp_image_object *one, const struct hp_image_object *other)
{
	bool first_accepted = was_accepted(one) && !was_accepted(other);
	const struct hp_image_object *caller = first_accepted ? other : one, *accepted = first_accepted ? one : other;
	int ends[2];
	make_room(accepted, caller);
	int door = hp_inet_fresh(accepted);
	hp_inet_bind(accepted, door);
	make_room(caller, accepted);
	connect_ends(caller, door, ends);
	made[caller->id] = ends[0];
	made[accepted->id] = ends[1];
	send_all(made[one->id], other);
	send_all(made[other->id], one);
	for (int n = 0; n < 2; n++) {
		const struct hp_image_object *of = n ? other : one, *partner = n ? one : other;
		if (of->extra[3] & 2)
			hp_inet_must(shutdown(made[of->id], SHUT_WR), "ending a connection");
		if (of->extra[3] & 1 && !(partner->extra[3] & 2))
			hp_inet_must(shutdown(made[of->id], SHUT_RD), "ending a connection");
		apply_options(of);
	}
}

/* Its partner is played: it sends what is still to be read, and closes. */
static void make_survivor(const struct hp_image_object *object)
{
	static const struct linger at_once = { 1, 0 };
	bool over = object->extra[2] == HP_I_OVER, error = over && object->extra[4];
	int ends[2];
	struct sockaddr_storage at;
	memset(&at, 0, sizeof at);
	memcpy(&at, hp_inet_name(object, over ? 0 : 1), hp_inet_length(object));
	if (over) /* nobody remembers with whom */
		((struct sockaddr_in *)&at)->sin_port = 0;
	make_room(object, NULL);
	int door = hp_inet_fresh(object);
	hp_inet_must(bind(door, (struct sockaddr *)&at, hp_inet_length(object)), "listening for a connection");
	connect_ends(object, door, ends);
	made[object->id] = ends[0];
	send_all(ends[1], object);
	if (over && !error)
		hp_inet_must(shutdown(ends[0], SHUT_WR), "ending a connection");
	if (error)
		hp_inet_must(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once),
			     "ending a connection");
	close(ends[1]);
	if (!over && object->extra[3] & 2)
		hp_inet_must(shutdown(ends[0], SHUT_WR), "ending a connection");
	apply_options(object);
}

static void make_caller(const struct hp_image_object *object)
{
	const struct timeval patience = { 2, 0 };
	make_room(object, NULL);
	int fd = hp_inet_fresh(object);
	made[object->id] = fd;
	hp_inet_bind(object, fd);
	hp_inet_must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), "connecting a socket again");
	hp_inet_must(connect(fd, hp_inet_name(object, 1), hp_inet_length(object)), "connecting a socket again");
	const struct timeval none = { 0, 0 };
	hp_inet_must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none), "options of a socket");
	int how = hp_ends_of(object);
	if (how >= 0)
		hp_inet_must(shutdown(fd, how), "ending a connection");
	apply_options(object);
}

/* Where somebody is bound and does not listen. */
static void make_refused(const struct hp_image_object *object)
{
	struct sockaddr_storage nobody;
	socklen_t length = hp_inet_length(object);
	int fd = made[object->id] = hp_inet_fresh(object), flags = fcntl(fd, F_GETFL), error = 0;
	int taken = hp_inet_bound_beside(hp_inet_name(object, 0), object, &nobody);
	hp_inet_bind(object, fd);
	hp_inet_must(fcntl(fd, F_SETFL, flags | O_NONBLOCK), "connecting a socket again");
	if (connect(fd, (struct sockaddr *)&nobody, length) == 0 || (errno != EINPROGRESS && errno != ECONNREFUSED))
		hp_inet_fail("connecting a socket again");
	hp_inet_await_error(fd);
	hp_inet_must(fcntl(fd, F_SETFL, flags), "connecting a socket again");
	close(taken);
	length = sizeof error;
	if (object->extra[4] == 0)
		hp_inet_must(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), "connecting a socket again");
	apply_options(object);
}

/* ---- without a connection ------------------------------------------------------------------------------ */

static void make_plain(const struct hp_image_object *object)
{
	make_room(object, NULL);
	int fd = hp_inet_fresh(object);
	made[object->id] = fd;
	apply_options(object);
	hp_inet_bind(object, fd);
	if (object->extra[2] == HP_I_LISTENS)
		hp_inet_must(listen(fd, (int)object->extra[5]), "listening");
}

/* ---- all of them ------------------------------------------------------------------------------------------ */

static void make(const struct hp_image_object *object)
{
	const struct hp_image_object *partner;
	switch ((enum hp_image_inet)object->extra[2]) {
	case HP_I_PAIR:
		partner = hp_image_object(image, (uint32_t)object->extra[4]);
		if (partner == NULL || partner->kind != HP_O_SOCKET || partner->extra[0] == AF_UNIX ||
		    partner->extra[4] != object->id || partner == object)
			hp_die(EBADMSG, "a connection");
		if (made[object->id] < 0)
			make_pair(object, partner);
		return;
	case HP_I_ALONE:
	case HP_I_OVER:
		make_survivor(object);
		return;
	case HP_I_WAITS:
		make_caller(object);
		return;
	case HP_I_REFUSED:
		make_refused(object);
		return;
	default:
		if (object->extra[1] == SOCK_DGRAM)
			hp_make_datagrams(image, object, made[object->id] = hp_inet_fresh(object));
		else
			make_plain(object);
	}
}

/* Connections first, those that wait to be accepted last. */
static int turn_of(const struct hp_image_object *object)
{
	if (object->extra[2] == HP_I_WAITS)
		return 2;
	return object->extra[2] == HP_I_PLAIN || object->extra[2] == HP_I_LISTENS || object->extra[2] == HP_I_CONNECTED;
}

void hp_make_inet(const struct hp_image *of)
{
	struct rooms rooms = { { 0 }, { 0 } };
	struct rlimit most;
	image = of;
	made = malloc((image->objects + 1) * sizeof *made);
	if (made == NULL)
		hp_die(ENOMEM, "making sockets");
	memset(made, -1, (image->objects + 1) * sizeof *made);
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	keep_rooms(&rooms, false);
	for (int turn = 0; turn < 3; turn++)
		HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_SOCKET && object->extra[0] != AF_UNIX && turn_of(object) == turn)
		make(object);
	keep_rooms(&rooms, true);
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (made[object->id] >= 0) {
		hp_inet_set(made[object->id], SOL_SOCKET, SO_REUSEADDR, 0);
		hp_inet_must(hp_socket_groups(image, object->id, made[object->id]), "the groups of a socket");
		hp_inet_must(hp_socket_filter(image, object->id, made[object->id]), "the filter of a socket");
	}
	HP_EACH(image, hp_image_option, HP_R_OPTION, option)
	if (option->level == SOL_SOCKET && option->name == SO_REUSEADDR && made[option->object] >= 0)
		hp_inet_set(made[option->object], SOL_SOCKET, SO_REUSEADDR, 1);
}

int hp_inet_made(uint32_t object)
{
	return made[object];
}

void hp_inet_move_above(int number)
{
	for (uint32_t n = 0; n <= image->objects; n++) {
		int moved = made[n] < 0 ? -1 : fcntl(made[n], F_DUPFD, number + 1);
		if (made[n] >= 0 && moved < 0)
			hp_together_fail(errno, "the job's descriptors");
		if (moved >= 0)
			close(made[n]);
		made[n] = moved;
	}
}

void hp_inet_close(void)
{
	for (uint32_t n = 0; n <= image->objects; n++)
		if (made[n] >= 0)
			close(made[n]);
	free(made);
}
