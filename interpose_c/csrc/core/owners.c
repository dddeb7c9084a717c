/* Changes of attributes: mode, owner, times, size, extended attributes. The
 * job owns the mirror's inodes, so a native call would succeed and home never
 * know: home's objects are always asked for. */
#include <linux/limits.h>
#include <linux/xattr.h>

#include "core.h"

#define NOW 0x3fffffffL
#define OMIT 0x3ffffffeL

struct times {
	int64_t s[2], ns[2];
	uint32_t set;
};

/* The name of a call that, unlike utimensat, means no descriptor by having none: the kernel refuses it. */
static bool has_name(const struct hp_call *call)
{
	return call->arg[1] != 0;
}

/* The object behind (dirfd, path): 1 home's (ask goes to `inode`), 0 local, or
 * -errno. path 0 with dirfd: the descriptor's. */
static long object_of(int dirfd, long path, int flags, uint64_t *inode)
{
	struct hp_stat stat;
	long result;

	if (!hp_channel || (!path && dirfd == AT_FDCWD))
		return 0;
	result = path ? hp_stat_path(dirfd, (const char *)path, &stat, flags) :
			hp_syscall2(__NR_fstat, dirfd, (long)&stat);
	if (result == 0 && path && !(flags & HP_AT_NOFOLLOW))
		result = hp_stat_program((const char *)path, &stat);
	if (result)
		return result;
	if (!path && hp_syscall3(__NR_fcntl, dirfd, F_GETFL, 0) & HP_O_PATH)
		return 0; /* the kernel refuses */
	*inode = stat.ino;
	return hp_is_home(stat.dev, stat.ino);
}

static long set_attributes(struct hp_call *call, int dirfd, long path, int flags, struct hp_ask *ask)
{
	uint64_t inode = 0;
	long found = object_of(dirfd, path, flags, &inode);
	int64_t answer;

	(void)call;
	if (found < 0)
		return found;
	if (found == 0)
		return HP_PASS;
	ask->op = HP_REQ_SETATTR;
	ask->base = inode;
	answer = hp_ask(ask);
	return answer == HP_LOCAL ? HP_PASS : (long)answer;
}

static long change_mode(struct hp_call *call, int dirfd, long path, long mode, int flags)
{
	struct hp_ask ask = { .arg = { HPW_SET_MODE, 0, mode & 07777 } };

	if (flags & ~(HP_AT_NOFOLLOW | HP_AT_EMPTY_PATH))
		return HP_PASS;
	return set_attributes(call, dirfd, path, flags, &ask);
}

long hp_call_chmod(struct hp_call *call)
{
	return change_mode(call, AT_FDCWD, call->arg[0], call->arg[1], 0);
}

long hp_call_fchmod(struct hp_call *call)
{
	return change_mode(call, (int)call->arg[0], 0, call->arg[1], 0);
}

long hp_call_fchmodat(struct hp_call *call)
{
	return has_name(call) ? change_mode(call, (int)call->arg[0], call->arg[1], call->arg[2], 0) : HP_PASS;
}

long hp_call_fchmodat2(struct hp_call *call)
{
	return has_name(call) ? change_mode(call, (int)call->arg[0], call->arg[1], call->arg[2], (int)call->arg[3]) :
				HP_PASS;
}

static long change_owner(struct hp_call *call, int dirfd, long path, long uid, long gid, int flags)
{
	/* -1 leaves an id as it is, and takes set-id bits all the same */
	struct hp_ask ask = { .arg = { HPW_SET_UID | HPW_SET_GID, 0, 0,
				       (int64_t)((uint64_t)(uint32_t)uid << 32 | (uint32_t)gid) } };

	long result =
		flags & ~(HP_AT_NOFOLLOW | HP_AT_EMPTY_PATH) ? HP_PASS : set_attributes(call, dirfd, path, flags, &ask);

	if (result != HP_PASS || !hp_channel)
		return result;
	result = hp_syscall5(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3], call->arg[4]);
	/* an id that the job's user namespace does not have: at home it would not be ours to give */
	return result == -EINVAL && !(flags & ~(HP_AT_NOFOLLOW | HP_AT_EMPTY_PATH)) ? -EPERM : result;
}

long hp_call_chown(struct hp_call *call)
{
	return change_owner(call, AT_FDCWD, call->arg[0], call->arg[1], call->arg[2], 0);
}

long hp_call_lchown(struct hp_call *call)
{
	return change_owner(call, AT_FDCWD, call->arg[0], call->arg[1], call->arg[2], HP_AT_NOFOLLOW);
}

long hp_call_fchown(struct hp_call *call)
{
	return change_owner(call, (int)call->arg[0], 0, call->arg[1], call->arg[2], 0);
}

long hp_call_fchownat(struct hp_call *call)
{
	return has_name(call) ? change_owner(call, (int)call->arg[0], call->arg[1], call->arg[2], call->arg[3],
					     (int)call->arg[4]) :
				HP_PASS;
}

static long change_times(struct hp_call *call, int dirfd, long path, const struct times *times, int flags)
{
	struct hp_ask ask = { .arg = { times->set, 0, 0, 0, times->s[0], times->ns[0], times->s[1], times->ns[1] } };

	return set_attributes(call, dirfd, path, flags, &ask);
}

static const struct times now = { .set = HPW_SET_ATIME_NOW | HPW_SET_MTIME_NOW };

long hp_call_utimensat(struct hp_call *call)
{
	static const uint32_t exact[2] = { HPW_SET_ATIME, HPW_SET_MTIME };
	static const uint32_t current[2] = { HPW_SET_ATIME_NOW, HPW_SET_MTIME_NOW };
	struct times times = now;
	int64_t user[4];

	bool of_descriptor = !call->arg[1] && (int)call->arg[0] != AT_FDCWD, is_time = true;

	if (call->arg[3] & ~(HP_AT_NOFOLLOW | HP_AT_EMPTY_PATH))
		return HP_PASS;
	if (call->arg[2]) {
		if (hp_user_read(user, (const void *)call->arg[2], sizeof user))
			return -EFAULT;
		times.set = 0;
		for (int i = 0; i < 2; i++) {
			times.s[i] = user[2 * i];
			times.ns[i] = user[2 * i + 1];
			if (times.ns[i] == NOW)
				times.set |= current[i];
			else if (times.ns[i] != OMIT)
				times.set |= exact[i];
			is_time &= times.ns[i] == NOW || times.ns[i] == OMIT || (uint64_t)times.ns[i] < 1000000000;
		}
		if (!times.set)
			return 0;
	}
	if (of_descriptor && call->arg[3])
		return -EINVAL;
	if (!call->arg[1] && (int)call->arg[0] == AT_FDCWD)
		return -EFAULT;
	if (!is_time) { /* looked at last, utimensat(2) does not say so */
		uint64_t inode;
		long found = object_of((int)call->arg[0], call->arg[1], (int)call->arg[3], &inode);

		return found > 0 ? -EINVAL : found < 0 ? found : HP_PASS;
	}
	return change_times(call, (int)call->arg[0], call->arg[1], &times, (int)call->arg[3]);
}

static long utimes_at(struct hp_call *call, int dirfd, long path, long user)
{
	struct times times = now;
	int64_t pair[4];

	if (user) {
		if (hp_user_read(pair, (const void *)user, sizeof pair))
			return -EFAULT;
		if (pair[1] < 0 || pair[1] > 999999 || pair[3] < 0 || pair[3] > 999999)
			return -EINVAL;
		times = (struct times){ { pair[0], pair[2] },
					{ pair[1] * 1000, pair[3] * 1000 },
					HPW_SET_ATIME | HPW_SET_MTIME };
	}
	return change_times(call, dirfd, path, &times, 0);
}

long hp_call_utimes(struct hp_call *call)
{
	return utimes_at(call, AT_FDCWD, call->arg[0], call->arg[1]);
}

long hp_call_futimesat(struct hp_call *call)
{
	return utimes_at(call, (int)call->arg[0], call->arg[1], call->arg[2]);
}

long hp_call_utime(struct hp_call *call)
{
	struct times times = now;
	int64_t pair[2];

	if (call->arg[1]) {
		if (hp_user_read(pair, (const void *)call->arg[1], sizeof pair))
			return -EFAULT;
		times = (struct times){ { pair[0], pair[1] }, { 0, 0 }, HPW_SET_ATIME | HPW_SET_MTIME };
	}
	return change_times(call, AT_FDCWD, call->arg[0], &times, 0);
}

long hp_call_truncate(struct hp_call *call)
{
	struct hp_ask ask = { .op = HP_REQ_TRUNCATE, .arg = { call->arg[1] } };
	struct hp_where where;
	uint64_t inode = 0;
	int64_t answer;
	long found;

	if (call->arg[1] < 0 || hp_too_large(call->arg[1], AT_FDCWD, (const char *)call->arg[0]))
		return HP_PASS;
	found = object_of(AT_FDCWD, call->arg[0], 0, &inode);
	if (found <= 0)
		return found ? found : HP_PASS;
	hp_locate(AT_FDCWD, (const char *)call->arg[0], &where); /* by path: rights are checked */
	ask.base = where.base;
	ask.data1 = where.path;
	ask.len1 = where.length;
	answer = where.foreign ? HP_LOCAL : hp_ask(&ask);
	return answer == HP_LOCAL ? HP_PASS : (long)answer;
}

/* ---- extended attributes ---------------------------------------------------- */

/* An attribute's name, or -errno. */
static long attribute_name(char to[XATTR_NAME_MAX + 1], long user)
{
	long length = hp_user_text(to, (const char *)user, XATTR_NAME_MAX + 1);

	return length == 0 || length == -ENAMETOOLONG ? -ERANGE : length;
}

static long extended(uint16_t op, uint64_t inode, long name, long value, long size, long flags)
{
	struct hp_ask ask = { .op = op, .base = inode };
	bool reads = op == HP_REQ_GETXATTR || op == HP_REQ_LISTXATTR;
	uint8_t text[HP_SLOT_DATA - 2048];
	uint32_t length = 0;
	int64_t answer;

	if (name) {
		long named = attribute_name((char *)text, name);

		if (named < 0)
			return named;
		length = (uint32_t)named + 1;
	}
	if (op == HP_REQ_SETXATTR) {
		if (size < 0 || (unsigned long)size > sizeof text - 300)
			return -E2BIG;
		if (size && hp_user_read(text + length, (const void *)value, (unsigned long)size))
			return -EFAULT;
		length += (uint32_t)size;
		ask.arg[1] = flags;
	} else if (name) {
		length--;
	}
	ask.data2 = text;
	ask.len2 = length;
	if (reads) {
		ask.arg[1] = sizeof text;
		ask.reply = text;
		ask.room = sizeof text;
	}
	answer = hp_ask(&ask);
	if (answer < 0 || !reads)
		return (long)answer;
	if (size == 0)
		return (long)answer;
	if (answer > size)
		return -ERANGE;
	return hp_user_write((void *)value, text, (unsigned long)answer) ? -EFAULT : (long)answer;
}

static long extended_at(struct hp_call *call, uint16_t op, bool descriptor, int flags)
{
	bool lists = op == HP_REQ_LISTXATTR, reads = op == HP_REQ_GETXATTR || lists;
	char name[XATTR_NAME_MAX + 1];
	uint64_t inode = 0;
	long found;

	/* looked at before the file is */
	if (op == HP_REQ_SETXATTR && (call->arg[4] & ~(XATTR_CREATE | XATTR_REPLACE) || call->arg[3] > XATTR_SIZE_MAX))
		return HP_PASS;
	found = lists ? 0 : attribute_name(name, call->arg[1]);
	if (found < 0)
		return found;
	found = object_of(descriptor ? (int)call->arg[0] : AT_FDCWD, descriptor ? 0 : call->arg[0], flags, &inode);
	if (found <= 0)
		return found ? found : HP_PASS;
	if (lists)
		return extended(op, inode, 0, call->arg[1], call->arg[2], 0);
	return extended(op, inode, call->arg[1], call->arg[2], reads || op == HP_REQ_SETXATTR ? call->arg[3] : 0,
			call->arg[4]);
}

#define EXTENDED(name, op) \
	long hp_call_##name(struct hp_call *call) \
	{ \
		return extended_at(call, op, false, 0); \
	} \
	long hp_call_l##name(struct hp_call *call) \
	{ \
		return extended_at(call, op, false, HP_AT_NOFOLLOW); \
	} \
	long hp_call_f##name(struct hp_call *call) \
	{ \
		return extended_at(call, op, true, 0); \
	}
EXTENDED(getxattr, HP_REQ_GETXATTR)
EXTENDED(setxattr, HP_REQ_SETXATTR)
EXTENDED(listxattr, HP_REQ_LISTXATTR)
EXTENDED(removexattr, HP_REQ_REMOVEXATTR)
