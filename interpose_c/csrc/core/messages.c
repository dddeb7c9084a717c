/* Where messages and connections of unix sockets come from and go to: names as the
 * program gave them, in accept, recvfrom and recvmsg, sendto and sendmsg.
 *
 * Only calls that ask for a name, or give one, are looked at. Leaves to others:
 * connecting and binding (sockets.c).
 */
#include "sockets.h"

/* Any family's. */
union address {
	struct hp_sockaddr_un un;
	uint8_t bytes[128];
};

/* A program's struct msghdr. */
struct message {
	uint64_t name;
	uint32_t name_bytes, pad0;
	uint64_t pieces, piece_count, control, control_bytes;
	uint32_t flags, pad1;
};
_Static_assert(sizeof(struct message) == 56, "struct msghdr");

static void show_given_name(union address *address, uint32_t *length)
{
	if (*length <= 2 || *length > sizeof address->un - 1)
		return;
	address->bytes[*length] = 0;
	if (hp_socket_given_name(&address->un))
		*length = 2 + (uint32_t)hp_strlen(address->un.path) + 1;
}

/* Makes a call that fills in an address, whose arguments `where` and `where` + 1 say where to. */
static long with_address(struct hp_call *call, int where)
{
	union address address;
	uint32_t length = sizeof address - 1, room;
	long user = call->arg[where], user_length = call->arg[where + 1], args[6], result;

	if (!hp_channel || !user || hp_user_read(&room, (const void *)user_length, sizeof room) || (int32_t)room < 0)
		return HP_PASS;
	memcpy(args, call->arg, sizeof args);
	args[where] = (long)&address;
	args[where + 1] = (long)&length;
	result = hp_syscall_interruptible(call->nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (result < 0)
		return result;
	if (length > sizeof address)
		length = sizeof address;
	show_given_name(&address, &length);
	if (hp_user_write((void *)user, &address, length < room ? length : room) ||
	    hp_user_write((void *)user_length, &length, sizeof length))
		return -EFAULT;
	return result;
}

long hp_call_accept(struct hp_call *call)
{
	return with_address(call, 1);
}

long hp_call_accept4(struct hp_call *call)
{
	return with_address(call, 1);
}

long hp_call_recvfrom(struct hp_call *call)
{
	return with_address(call, 4);
}

long hp_call_recvmsg(struct hp_call *call)
{
	struct message message, was;
	union address address;
	long result;

	if (!hp_channel || hp_user_read(&message, (const void *)call->arg[1], sizeof message) || !message.name ||
	    (int32_t)message.name_bytes < 0)
		return HP_PASS;
	was = message;
	message.name = (uint64_t)&address;
	message.name_bytes = sizeof address - 1;
	result = hp_syscall_interruptible(call->nr, call->arg[0], (long)&message, call->arg[2], 0, 0, 0);
	if (result < 0)
		return result;
	if (message.name_bytes > sizeof address)
		message.name_bytes = sizeof address;
	show_given_name(&address, &message.name_bytes);
	if (hp_user_write((void *)was.name, &address,
			  message.name_bytes < was.name_bytes ? message.name_bytes : was.name_bytes))
		return -EFAULT;
	message.name = was.name;
	return hp_user_write((void *)call->arg[1], &message, sizeof message) ? -EFAULT : result;
}

/* 0: as it is; 1: to *address; -errno. */
static long way_to(int fd, long user, long length, struct hp_sockaddr_un *address)
{
	const char *path = hp_socket_path(user, length, address);
	bool is_renamed = path && hp_socket_given_name(address);
	long failed = path ? hp_socket_find(fd, path) : 0;

	return failed ? failed : is_renamed;
}

long hp_call_sendto(struct hp_call *call)
{
	struct hp_sockaddr_un address;
	long way = call->arg[4] ? way_to((int)call->arg[0], call->arg[4], call->arg[5], &address) : 0;

	if (way <= 0)
		return way ? way : HP_PASS;
	return hp_syscall_interruptible(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3],
					(long)&address, 2 + (long)hp_strlen(address.path) + 1);
}

long hp_call_sendmsg(struct hp_call *call)
{
	struct hp_sockaddr_un address;
	struct message message;
	long way;

	if (!hp_channel || hp_user_read(&message, (const void *)call->arg[1], sizeof message) || !message.name)
		return HP_PASS;
	way = way_to((int)call->arg[0], (long)message.name, (int32_t)message.name_bytes, &address);
	if (way <= 0)
		return way ? way : HP_PASS;
	message.name = (uint64_t)&address;
	message.name_bytes = 2 + (uint32_t)hp_strlen(address.path) + 1;
	return hp_syscall_interruptible(call->nr, call->arg[0], (long)&message, call->arg[2], 0, 0, 0);
}
