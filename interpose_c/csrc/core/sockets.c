/* Unix sockets with a path. The socket itself is native; its name is made at
 * home like any other. */
#include <asm/socket.h>

#include "sockets.h"

#define FAMILY_INET 2
#define FAMILY_INET6 10

const char *hp_socket_path(long user, long length, struct hp_sockaddr_un *address)
{
	if (!hp_channel || length <= 3 || length > 2 + PATH_ROOM ||
	    hp_user_read(address, (const void *)user, (unsigned long)length))
		return NULL;
	((char *)address)[length] = 0;
	return address->family == FAMILY_UNIX && address->path[0] ? address->path : NULL;
}

bool hp_socket_given_name(struct hp_sockaddr_un *address)
{
	struct hp_ask ask = { .op = HP_REQ_ADDRESS, .data1 = address->path, .reply = address->path, .room = PATH_ROOM };

	if (address->family != FAMILY_UNIX || !hp_starts(address->path, HP_BOUND_ASIDE))
		return false;
	ask.len1 = (uint32_t)hp_strlen(address->path);
	if (hp_ask(&ask) < 0)
		return false;
	if (ask.reply_len < PATH_ROOM)
		address->path[ask.reply_len] = 0;
	return true;
}

long hp_socket_find(int fd, const char *path)
{
	uint32_t domain = 0, size = sizeof domain;
	struct hp_attr_entry entry;
	struct hp_stat stat;

	if (hp_stat_path(AT_FDCWD, path, &stat, 0) ||
	    ((stat.mode & 0170000) != 0100000 && (stat.mode & 0170000) != 0040000))
		return 0;
	if (hp_syscall5(__NR_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, (long)&domain, (long)&size) ||
	    domain != FAMILY_UNIX)
		return 0; /* the kernel says what is wrong with it */
	if (stat.dev != hp_channel->mirror_dev || !hp_home_attr(stat.ino, &entry))
		return 0;
	/* the mirror's bits are not those that home has */
	return entry.attr.access & 2 ? -ECONNREFUSED : -EACCES;
}

/* 127/8, ::1, and what the kernel takes for them (all zeros). */
static bool is_loopback(const struct hp_sockaddr_un *address)
{
	const unsigned char *bytes = (const unsigned char *)address->path;
	unsigned sum = 0;

	if (address->family == FAMILY_INET) /* port, address */
		return bytes[2] == 127 || !(bytes[2] | bytes[3] | bytes[4] | bytes[5]);
	for (unsigned i = 6; i < 21; i++) /* port, flow, address */
		sum |= bytes[i];
	return sum == 0 && bytes[21] <= 1;
}

long hp_call_connect(struct hp_call *call)
{
	struct hp_sockaddr_un address = { 0 };
	const char *path = hp_socket_path(call->arg[1], call->arg[2], &address);
	long result;

	if (!path && hp_channel && hp_channel->no_network) {
		/* there is a loopback and nothing else: this cannot take long unless it is answered by the job itself */
		bool inet = address.family == FAMILY_INET || address.family == FAMILY_INET6;

		if (!inet || is_loopback(&address))
			return HP_PASS;
		result = hp_syscall3(__NR_connect, call->arg[0], call->arg[1], call->arg[2]);
		if (result == -ENETUNREACH || result == -EADDRNOTAVAIL)
			hp_report_refused(call, (int)-result);
		return result;
	}
	if (!path)
		return HP_PASS;
	if (hp_socket_given_name(&address)) { /* whoever was told so before */
		result = hp_socket_find((int)call->arg[0], path);
		if (result)
			return result;
		return hp_syscall_interruptible(call->nr, call->arg[0], (long)&address,
						2 + (long)hp_strlen(address.path) + 1, 0, 0, 0);
	}
	result = hp_socket_find((int)call->arg[0], path);
	return result ? result : HP_PASS;
}

/* In home's directories the job may make no names: the socket is bound in /tmp
 * and the starter moves it to where home has made its name. */
long hp_call_bind(struct hp_call *call)
{
	static uint32_t counter;
	struct hp_sockaddr_un address, temporary = { .family = FAMILY_UNIX };
	const char *path = hp_socket_path(call->arg[1], call->arg[2], &address);
	struct hp_ask ask = { .op = HP_REQ_BIND };
	struct hp_where where;
	char names[2 * PATH_ROOM];
	uint32_t number;
	unsigned at = sizeof HP_BOUND_ASIDE - 1;
	int64_t answer;
	long result;

	if (!path)
		return HP_PASS;
	result = hp_syscall3(__NR_bind, call->arg[0], call->arg[1], call->arg[2]);
	if (result != -EACCES && result != -ENOENT)
		return result;
	hp_locate(AT_FDCWD, path, &where);
	if (where.foreign)
		return result;
	number = (uint32_t)hp_syscall0(__NR_gettid) * 4096u + __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED) % 4096u;
	memcpy(temporary.path, HP_BOUND_ASIDE, at);
	for (; number; number /= 16)
		temporary.path[at++] = "0123456789abcdef"[number % 16];
	result = hp_syscall3(__NR_bind, call->arg[0], (long)&temporary, 2 + at + 1);
	if (result)
		return result;
	ask.base = where.base;
	ask.data1 = where.path;
	ask.len1 = where.length;
	ask.arg[0] = hp_new_mode(0140777);
	memcpy(names, temporary.path, at + 1);
	memcpy(names + at + 1, path, hp_strlen(path));
	ask.data2 = names;
	ask.len2 = at + 1 + (uint32_t)hp_strlen(path);
	answer = hp_ask(&ask);
	if (answer < 0)
		hp_syscall1(__NR_unlink, (long)temporary.path);
	return (long)answer;
}

/* The kernel knows such a socket by the name under which it was bound. */
static long given_address(struct hp_call *call)
{
	struct hp_sockaddr_un address = { .family = 0 };
	uint32_t length = sizeof address - 1, room;
	long result;

	if (!hp_channel || hp_user_read(&room, (const void *)call->arg[2], sizeof room) || (int32_t)room < 0)
		return HP_PASS;
	result = hp_syscall3(call->nr, call->arg[0], (long)&address, (long)&length);
	if (result || length > sizeof address - 1 || !hp_socket_given_name(&address))
		return HP_PASS;
	length = 2 + hp_strlen(address.path) + 1;
	if (hp_user_write((void *)call->arg[1], &address, length < room ? length : room) ||
	    hp_user_write((void *)call->arg[2], &length, sizeof length))
		return -EFAULT;
	return 0;
}

long hp_call_getsockname(struct hp_call *call)
{
	return given_address(call);
}

long hp_call_getpeername(struct hp_call *call)
{
	return given_address(call);
}
