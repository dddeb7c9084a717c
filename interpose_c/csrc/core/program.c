/* Programs to be executed: the file, and the name under which the program will
 * find itself. */
#include "core.h"

/* The absolute name without symlinks, as the kernel would have it in
 * /proc/PID/exe. A file without a name keeps the one it was asked for by. */
static long absolute_name(int dirfd, const char *path, int flags, char *resolved, unsigned room)
{
	long open_flags = HP_O_PATH | HP_O_CLOEXEC | (flags & HP_AT_NOFOLLOW ? HP_O_NOFOLLOW : 0);
	bool itself = !*path && flags & HP_AT_EMPTY_PATH;
	long fd = itself ? dirfd : hp_syscall4(__NR_openat, dirfd, (long)path, open_flags, 0);
	char name[HP_FD_LINK_MAX];
	long length;

	if (fd < 0)
		return fd;
	length = hp_syscall3(__NR_readlink, (long)hp_fd_link(name, (int)fd), (long)resolved, room - 1);
	if (!itself)
		hp_syscall1(__NR_close, fd);
	if (length <= 0)
		return length ? length : -ENOENT;
	resolved[length] = 0;
	if (resolved[0] == '/' && !(length > 10 && hp_equal(resolved + length - 10, " (deleted)")))
		return 0;
	if (itself)
		return 0; /* opening that fails, and the descriptor itself goes along */
	length = (long)hp_strlen(path);
	if ((unsigned long)length >= room)
		return -ENAMETOOLONG;
	memcpy(resolved, path, (size_t)length + 1);
	return 0;
}

/* Called before every exec: the program's content is there afterwards.
 * Returns 0 with its name in `resolved`, or what execve gives. */
long hp_exec_prepare(const char *path, int dirfd, int flags, char *resolved, unsigned room)
{
	char alias[HP_EXE_MAX + 4];
	struct hp_where where;
	struct hp_ask ask = { .op = HP_REQ_EXEC };
	const char *exe = hp_exe_alias(path, alias, sizeof alias);
	struct hp_stat stat;
	int64_t answer = HP_LOCAL;
	long result;

	if (exe) {
		path = exe;
		dirfd = AT_FDCWD;
	}
	if (hp_channel) {
		if (!*path && flags & HP_AT_EMPTY_PATH) {
			result = hp_syscall2(__NR_fstat, dirfd, (long)&stat);
			if (result)
				return result;
			where.base = stat.ino;
			where.foreign = stat.dev != hp_channel->mirror_dev;
			where.path = "";
			where.length = 0;
		} else {
			hp_locate(dirfd, path, &where);
		}
		if (!where.foreign) {
			ask.base = where.base;
			ask.data1 = where.path;
			ask.len1 = where.length;
			ask.arg[1] = flags & HP_AT_NOFOLLOW;
			answer = hp_ask(&ask);
			if (answer < 0)
				return (long)answer;
		}
	}
	result = absolute_name(dirfd, path, flags, resolved, room);
	if (result || answer == HP_RETRY)
		return result;
	/* the sandbox's own: the kernel knows who may execute it */
	result = hp_syscall4(__NR_newfstatat, dirfd, (long)path, (long)&stat,
			     flags & (HP_AT_NOFOLLOW | HP_AT_EMPTY_PATH));
	if (result)
		return result;
	if ((stat.mode & 0170000) == 0120000)
		return -ELOOP;
	if ((stat.mode & 0170000) != 0100000)
		return -EACCES;
	return hp_syscall4(__NR_faccessat2, dirfd, (long)path, 1, flags & (HP_AT_NOFOLLOW | HP_AT_EMPTY_PATH));
}

bool hp_program_takes_gs(int fd)
{
	struct hp_attr_entry entry;
	struct hp_stat stat;

	return hp_channel && hp_syscall2(__NR_fstat, fd, (long)&stat) == 0 && stat.dev == hp_channel->mirror_dev &&
	       hp_home_attr(stat.ino, &entry) && entry.flags & HP_ATTR_TAKES_GS;
}
