/* Changes of names. The job cannot write the mirror's directories: a native
 * attempt succeeds in places of the sandbox's own and fails with EACCES in
 * home's; then the starter does it, at home first. */
#include "core.h"

static bool asks(long error)
{
	return hp_channel && (error == -EACCES || error == -ENOENT || error == -EXDEV || error == -EPERM);
}

/* Of the sandbox's own: the kernel once more, as symlinks that lead there may have come from home only now. */
static long settle(struct hp_ask *ask, const struct hp_where *where, long native)
{
	int64_t answer;

	if (where->foreign)
		return native;
	answer = hp_ask(ask);
	return answer == HP_LOCAL ? HP_PASS : (long)answer;
}

static long one_name(uint16_t op, int dirfd, const char *path, int64_t arg0, int64_t arg1, const char *text,
		     long native)
{
	struct hp_where where;
	struct hp_ask ask = { .op = op, .arg = { arg0, arg1 } };

	if (!asks(native) || !*path)
		return native;
	hp_locate_name(dirfd, path, &where);
	ask.base = where.base;
	ask.data1 = where.path;
	ask.len1 = where.length;
	if (text) {
		ask.data2 = text;
		ask.len2 = (uint32_t)hp_strlen(text);
	}
	return settle(&ask, &where, native);
}

static long make_directory(int dirfd, long path, long mode)
{
	long native = hp_syscall3(__NR_mkdirat, dirfd, path, mode);

	return one_name(HP_REQ_MKDIR, dirfd, (const char *)path, hp_new_mode(mode & 01777), 0, NULL, native);
}

long hp_call_mkdir(struct hp_call *call)
{
	return make_directory(AT_FDCWD, call->arg[0], call->arg[1]);
}

long hp_call_mkdirat(struct hp_call *call)
{
	return make_directory((int)call->arg[0], call->arg[1], call->arg[2]);
}

static long make_node(int dirfd, long path, long mode, long device)
{
	long native = hp_syscall4(__NR_mknodat, dirfd, path, mode, device);
	long type = mode & 0170000;

	if (native == -EPERM && type && type != 0100000 && type != 010000 && type != 0140000)
		return native;
	return one_name(HP_REQ_MKNOD, dirfd, (const char *)path,
			hp_new_mode((mode & 0170000 ? mode & 0170000 : 0100000) | (mode & 07777)), device, NULL,
			native);
}

long hp_call_mknod(struct hp_call *call)
{
	return make_node(AT_FDCWD, call->arg[0], call->arg[1], call->arg[2]);
}

long hp_call_mknodat(struct hp_call *call)
{
	return make_node((int)call->arg[0], call->arg[1], call->arg[2], call->arg[3]);
}

static long make_symlink(long text, int dirfd, long path)
{
	long native = hp_syscall3(__NR_symlinkat, text, dirfd, path);

	if (native == -ENOENT && !*(const char *)text)
		return native;
	return one_name(HP_REQ_SYMLINK, dirfd, (const char *)path, 0, 0, (const char *)text, native);
}

long hp_call_symlink(struct hp_call *call)
{
	return make_symlink(call->arg[0], AT_FDCWD, call->arg[1]);
}

long hp_call_symlinkat(struct hp_call *call)
{
	return make_symlink(call->arg[0], (int)call->arg[1], call->arg[2]);
}

static long remove_name(int dirfd, long path, int flags)
{
	long native = hp_syscall3(__NR_unlinkat, dirfd, path, flags);

	return one_name(flags & AT_REMOVEDIR ? HP_REQ_RMDIR : HP_REQ_UNLINK, dirfd, (const char *)path, 0, 0, NULL,
			native);
}

long hp_call_unlink(struct hp_call *call)
{
	return remove_name(AT_FDCWD, call->arg[0], 0);
}

long hp_call_rmdir(struct hp_call *call)
{
	return remove_name(AT_FDCWD, call->arg[0], AT_REMOVEDIR);
}

long hp_call_unlinkat(struct hp_call *call)
{
	return remove_name((int)call->arg[0], call->arg[1], (int)call->arg[2]);
}

/* The kernel may have refused the first name before it looked at the second. 0: it can be had, to its end. */
static long second_name(char room[HP_PATH_MAX], const char *path)
{
	long length = hp_user_text(room, path, HP_PATH_MAX);

	return length == 0 ? -ENOENT : length < 0 ? length : 0;
}

/* Two names. Built in turn, so that only one of them needs the large buffer
 * twice: the shim's stack is small. */
static long two_names(uint16_t op, int dirfd1, const char *path1, int dirfd2, const char *path2, int64_t arg0,
		      long native)
{
	struct hp_where where1, where2;
	struct hp_ask ask = { .op = op, .arg = { arg0 } };
	long answer;

	/* EBUSY is said of a root: at home it may be another file system's, then it is EXDEV */
	if ((!asks(native) && !(native == -EBUSY && hp_channel)) || !*path1)
		return native;
	answer = second_name(where2.text, path2);
	if (answer)
		return native == -EACCES ? answer : native;
	if (op == HP_REQ_LINK && arg0)
		hp_locate(dirfd1, path1, &where1);
	else
		hp_locate_name(dirfd1, path1, &where1);
	hp_locate_name(dirfd2, path2, &where2);
	if (where2.foreign)
		return native;
	ask.base = where1.base;
	ask.data1 = where1.path;
	ask.len1 = where1.length;
	ask.base2 = where2.base;
	ask.data2 = where2.path;
	ask.len2 = where2.length;
	answer = settle(&ask, &where1, native);
	return native == -EBUSY && answer != -EXDEV ? native : answer;
}

static long rename_name(int dirfd1, long path1, int dirfd2, long path2, long flags)
{
	long native = hp_syscall5(__NR_renameat2, dirfd1, path1, dirfd2, path2, flags);

	return two_names(HP_REQ_RENAME, dirfd1, (const char *)path1, dirfd2, (const char *)path2, flags, native);
}

long hp_call_rename(struct hp_call *call)
{
	return rename_name(AT_FDCWD, call->arg[0], AT_FDCWD, call->arg[1], 0);
}

long hp_call_renameat(struct hp_call *call)
{
	return rename_name((int)call->arg[0], call->arg[1], (int)call->arg[2], call->arg[3], 0);
}

long hp_call_renameat2(struct hp_call *call)
{
	return rename_name((int)call->arg[0], call->arg[1], (int)call->arg[2], call->arg[3], call->arg[4]);
}

static long link_name(int dirfd1, long path1, int dirfd2, long path2, int flags)
{
	long native = hp_syscall5(__NR_linkat, dirfd1, path1, dirfd2, path2, flags);
	struct hp_stat stat;

	if (asks(native) && flags & HP_AT_EMPTY_PATH && *(const char *)path1 == 0) {
		struct hp_where where;
		struct hp_ask ask = { .op = HP_REQ_LINK };
		long answer;

		if (hp_syscall4(__NR_newfstatat, dirfd1, (long)path1, (long)&stat, HP_AT_EMPTY_PATH) ||
		    !hp_is_home(stat.dev, stat.ino))
			return native;
		answer = second_name(where.text, (const char *)path2);
		if (answer)
			return answer;
		hp_locate_name(dirfd2, (const char *)path2, &where);
		ask.base = stat.ino;
		ask.base2 = where.base;
		ask.data2 = where.path;
		ask.len2 = where.length;
		return settle(&ask, &where, native);
	}
	return two_names(HP_REQ_LINK, dirfd1, (const char *)path1, dirfd2, (const char *)path2,
			 flags & AT_SYMLINK_FOLLOW, native);
}

long hp_call_link(struct hp_call *call)
{
	return link_name(AT_FDCWD, call->arg[0], AT_FDCWD, call->arg[1], 0);
}

long hp_call_linkat(struct hp_call *call)
{
	return link_name((int)call->arg[0], call->arg[1], (int)call->arg[2], call->arg[3], (int)call->arg[4]);
}
