/* open and its kin, and the other calls that only need a name to be there. */
#include <linux/openat2.h>

#include "core.h"

#define MOST_TRIES 256 /* others may remove a file each time before it is opened */

struct hp_open_how {
	uint64_t flags, mode, resolve;
};

static bool writes(uint64_t flags)
{
	return (flags & 3) != 0;
}

static bool is_fifo(int dirfd, const char *path)
{
	struct hp_stat stat;

	return hp_syscall4(__NR_newfstatat, dirfd, (long)path, (long)&stat, 0) == 0 && (stat.mode & 0170000) == 0010000;
}

/* Does O_TRUNC mean anything to it, be it an error? */
static bool minds_truncation(long fd)
{
	struct hp_stat stat;

	return hp_syscall2(__NR_fstat, fd, (long)&stat) == 0 &&
	       ((stat.mode & 0170000) == 0100000 || (stat.mode & 0170000) == 0040000);
}

static long open_now(int dirfd, const char *path, const struct hp_open_how *how, bool extended)
{
	if (extended)
		return hp_syscall4(__NR_openat2, dirfd, (long)path, (long)how, sizeof *how);
	return hp_syscall4(__NR_openat, dirfd, (long)path, (long)how->flags, (long)how->mode);
}

static long open_interruptible(int dirfd, const char *path, const struct hp_open_how *how, bool extended)
{
	if (extended)
		return hp_syscall_interruptible(__NR_openat2, dirfd, (long)path, (long)how, sizeof *how, 0, 0);
	return hp_syscall_interruptible(__NR_openat, dirfd, (long)path, (long)how->flags, (long)how->mode, 0, 0);
}

/* Only the open of a FIFO waits for others, and only that may end with EINTR. */
static long native_open(int dirfd, const char *path, const struct hp_open_how *how, bool extended)
{
	long fd = open_interruptible(dirfd, path, how, extended);

	return fd == HP_RESTART && !is_fifo(dirfd, path) ? HP_AGAIN : fd;
}

/* After the starter has made what is opened: not to be asked for twice. */
static long open_made(int dirfd, const char *path, const struct hp_open_how *how, bool extended)
{
	return is_fifo(dirfd, path) ? open_interruptible(dirfd, path, how, extended) :
				      open_now(dirfd, path, how, extended);
}

/* O_NOATIME is the owner's: here the job owns everything. */
bool hp_owns(int fd)
{
	struct hp_stat stat;
	long user = hp_syscall0(__NR_geteuid);

	if (user == 0 || hp_syscall2(__NR_fstat, fd, (long)&stat))
		return true;
	hp_overlay(&stat);
	return stat.uid == (uint32_t)user;
}

/* The native open succeeded. 0: it may stand; 1: home must be asked first; -errno. */
static int examine(long fd, const struct hp_open_how *how)
{
	struct hp_attr_entry entry;
	struct hp_stat stat;

	hp_fd_forget((int)fd);
	if (how->flags & HP_O_NOATIME && !hp_owns((int)fd))
		return -EPERM;
	if (!writes(how->flags) && !(how->flags & HP_O_TRUNC))
		return 0;
	if (hp_syscall2(__NR_fstat, fd, (long)&stat) || (stat.mode & 0170000) != 0100000)
		return 0;
	if (stat.dev != hp_channel->mirror_dev || !hp_home_attr(stat.ino, &entry)) {
		hp_fd_set((int)fd, HP_FD_PLAIN);
		return 0;
	}
	if (how->flags & HP_O_TRUNC || !entry.file || !(entry.attr.access & 2) ||
	    ((how->flags & 3) == 2 && !(entry.attr.access & 4)))
		return 1;
	if (how->flags & HP_O_APPEND &&
	    !(__atomic_load_n(&hp_channel->files[entry.file].flags, __ATOMIC_ACQUIRE) & HP_FILE_APPENDS))
		return 1;
	hp_fd_set((int)fd, hp_fd_file_kind(entry.file, how->flags));
	return 0;
}

static long open_asking(int dirfd, const char *path, struct hp_open_how *how, bool extended, long native)
{
	struct hp_open_how second;
	struct hp_where where;
	struct hp_ask ask = { .op = HP_REQ_OPEN };
	long fd = native;

	for (int round = 0; round < (how->flags & HP_O_CREAT ? MOST_TRIES : 8); round++) {
		int64_t answer;

		if (native == -ENOENT && !(how->flags & HP_O_CREAT) && hp_surely_absent(dirfd, path))
			return native;
		if (extended && how->resolve & RESOLVE_IN_ROOT) {
			struct hp_stat stat;

			if (hp_syscall4(__NR_newfstatat, dirfd, (long)(dirfd == AT_FDCWD ? "." : ""), (long)&stat,
					dirfd == AT_FDCWD ? 0 : HP_AT_EMPTY_PATH) ||
			    !hp_is_home(stat.dev, stat.ino))
				return native;
			where = (struct hp_where){ .base = stat.ino,
						   .path = path,
						   .length = (uint32_t)hp_strlen(path) };
			ask.flags = HP_SLOT_IN_ROOT;
		} else {
			hp_locate(dirfd, path, &where);
		}
		if (where.foreign)
			return native;
		ask.base = where.base;
		ask.data1 = where.path;
		ask.len1 = where.length;
		ask.arg[0] = (int64_t)how->flags;
		ask.arg[1] = (int64_t)(how->mode & 07777) & ~hp_umask();
		answer = hp_ask(&ask);
		if (answer == HP_LOCAL)
			return native;
		if (answer < 0)
			return (long)answer;
		second = *how;
		second.flags = ask.value[0];
		if (!(second.flags & HP_O_TMPFILE_BIT))
			second.mode = 0;
		fd = open_made(dirfd, path, &second, extended);
		if (ask.value[3]) {
			struct hp_ask settle = { .op = HP_REQ_SETTLE, .base = ask.value[3] };

			hp_ask(&settle);
		}
		if (fd >= 0) {
			hp_fd_forget((int)fd);
			if (how->flags & HP_O_NOATIME && !hp_owns((int)fd)) {
				hp_syscall1(__NR_close, fd);
				return -EPERM;
			}
			if (ask.value[1])
				hp_fd_set((int)fd, hp_fd_file_kind((uint32_t)ask.value[1], how->flags));
			return fd;
		}
		if (fd != -ENOENT && fd != -EACCES && !(fd == -EISDIR && ask.value[2]))
			return fd;
		native =
			fd; /* removed or taken back meanwhile: once more, though what is there still is not made twice */
		if (ask.value[2] && fd == -EACCES)
			how->flags &= ~(uint64_t)HP_O_EXCL;
	}
	return fd;
}

/* O_TMPFILE. Home makes the nameless file too; ours has a private name. */
static long open_nameless(int dirfd, const char *path, const struct hp_open_how *how, bool extended)
{
	struct hp_open_how second = { 0 };
	struct hp_where where;
	struct hp_ask ask = { .op = HP_REQ_TMPFILE };
	char private[64];
	long fd = native_open(dirfd, path, how, extended);
	int64_t answer;

	if (fd != -EACCES && fd != -ENOENT)
		return fd;
	hp_locate(dirfd, path, &where);
	if (where.foreign)
		return fd;
	ask.base = where.base;
	ask.data1 = where.path;
	ask.len1 = where.length;
	ask.arg[0] = (int64_t)how->flags;
	ask.arg[1] = (int64_t)(how->mode & 07777) & ~hp_umask();
	ask.reply = private;
	ask.room = sizeof private;
	answer = hp_ask(&ask);
	if (answer != HP_RETRY)
		return answer == HP_LOCAL ? fd : (long)answer;
	second.flags = ask.value[0];
	fd = open_now(AT_FDCWD, private, &second, false);
	if (fd >= 0)
		hp_fd_set((int)fd, hp_fd_file_kind((uint32_t)ask.value[1], how->flags));
	return fd;
}

static long open_at(int dirfd, const char *path, struct hp_open_how *how, bool extended)
{
	struct hp_open_how first = *how;
	struct hp_moment before;
	char alias[HP_EXE_MAX + 4];
	const char *exe;
	long fd;

	if ((how->flags & (HP_O_TMPFILE_BIT | HP_O_DIRECTORY)) == (HP_O_TMPFILE_BIT | HP_O_DIRECTORY))
		return open_nameless(dirfd, path, how, extended);
	if (how->flags & HP_O_PATH) {
		fd = native_open(dirfd, path, how, extended);
		for (int round = 0; (fd == -ENOENT || fd == -EACCES) && round < 4; round++) {
			if (!hp_fault(dirfd, path, fd, HP_WANT_STAT, how->flags & HP_O_NOFOLLOW, &fd))
				break;
			fd = native_open(dirfd, path, how, extended);
		}
		if (fd >= 0)
			hp_fd_forget((int)fd);
		return fd;
	}
	if (how->flags & HP_O_DSYNC)
		__atomic_store_n(&hp_channel->sync_set, 1, __ATOMIC_RELAXED);
	first.flags &= ~(uint64_t)HP_O_TRUNC;
	before = hp_moment_now();
	fd = native_open(dirfd, path, &first, extended);
	if (fd == -ENOENT && !(how->flags & HP_O_CREAT) && !how->resolve && hp_known_absent(dirfd, path, &before))
		return fd;
	if (fd >= 0) {
		int verdict = examine(fd, how);

		if (verdict < 0) {
			hp_syscall1(__NR_close, fd);
			return verdict;
		}
		if (verdict == 0 && path[0] == '/' && (exe = hp_exe_alias(path, alias, sizeof alias)) != NULL) {
			hp_syscall1(__NR_close, fd);
			return open_at(AT_FDCWD, exe, how, extended);
		}
		if (verdict == 0 && (!(how->flags & HP_O_TRUNC) || how->flags & HP_O_EXCL || !minds_truncation(fd)))
			return fd; /* what O_EXCL has just made is empty; whoever waited for this end of a FIFO has seen it */
		hp_syscall1(__NR_close, fd);
		if (verdict == 0) /* not home's: truncated natively */
			return native_open(dirfd, path, how, extended);
		return open_asking(dirfd, path, how, extended, -EACCES);
	}
	if ((fd != -ENOENT && fd != -EACCES) || !*path)
		return fd;
	return open_asking(dirfd, path, how, extended, fd);
}

static long open_plain(int dirfd, long path, long flags, long mode)
{
	struct hp_open_how how = { .flags = (uint64_t)(uint32_t)flags, .mode = (uint64_t)mode };

	return hp_channel ? open_at(dirfd, (const char *)path, &how, false) : HP_PASS;
}

long hp_call_open(struct hp_call *call)
{
	return open_plain(AT_FDCWD, call->arg[0], call->arg[1], call->arg[2]);
}

long hp_call_openat(struct hp_call *call)
{
	return open_plain((int)call->arg[0], call->arg[1], call->arg[2], call->arg[3]);
}

long hp_call_creat(struct hp_call *call)
{
	return open_plain(AT_FDCWD, call->arg[0], HP_O_CREAT | HP_O_TRUNC | 1, call->arg[1]);
}

long hp_call_openat2(struct hp_call *call)
{
	struct hp_open_how how;

	if (!hp_channel || call->arg[3] != (long)sizeof how ||
	    hp_user_read(&how, (const void *)call->arg[2], sizeof how))
		return HP_PASS; /* the kernel says what is wrong with it */
	return open_at((int)call->arg[0], (const char *)call->arg[1], &how, true);
}

/* ---- calls that follow a name and change nothing -------------------------- */

/* In the mirror a file by O_TMPFILE has a name; natively /proc says "#inode (deleted)". */
static long name_nameless(int dirfd, long path, long buffer, long size)
{
	static const char deleted[] = " (deleted)";
	char text[48] = "/#";
	unsigned length;
	struct hp_stat stat;

	if (hp_syscall4(__NR_newfstatat, dirfd, path, (long)&stat, 0))
		return -ENOENT;
	hp_overlay(&stat);
	length = (unsigned)(hp_put_number(text + 2, stat.ino) - text);
	memcpy(text + length, deleted, sizeof deleted);
	length += sizeof deleted - 1;
	if (length > size)
		length = (unsigned)size;
	return hp_user_write((void *)buffer, text, length) ? -EFAULT : (long)length;
}

static long read_link(int dirfd, long path, long buffer, long size)
{
	char alias[HP_EXE_MAX + 4];
	struct hp_moment before;
	const char *exe;
	long result;

	if (!hp_channel)
		return HP_PASS;
	before = hp_moment_now();
	result = hp_syscall4(__NR_readlinkat, dirfd, path, buffer, size);
	if (result == -ENOENT && hp_known_absent(dirfd, (const char *)path, &before))
		return result;
	for (int round = 0; (result == -ENOENT || result == -EACCES) && round < 4; round++) {
		if (!hp_fault(dirfd, (const char *)path, result, HP_WANT_STAT, true, &result))
			return result;
		result = hp_syscall4(__NR_readlinkat, dirfd, path, buffer, size);
	}
	if (result > (long)sizeof HP_NAMELESS_DIR &&
	    hp_user_read(alias, (const void *)buffer, sizeof HP_NAMELESS_DIR - 1) == 0 &&
	    memcmp(alias, HP_NAMELESS_DIR, sizeof HP_NAMELESS_DIR - 1) == 0)
		return name_nameless(dirfd, path, buffer, size);
	if (result >= 0 && (exe = hp_exe_alias((const char *)path, alias, sizeof alias)) != NULL) {
		long length = (long)hp_strlen(exe);

		result = length < size ? length : size;
		return hp_user_write((void *)buffer, exe, (unsigned long)result) ? -EFAULT : result;
	}
	return result;
}

long hp_call_readlink(struct hp_call *call)
{
	if ((int)call->arg[2] <= 0)
		return HP_PASS;
	return read_link(AT_FDCWD, call->arg[0], call->arg[1], (int)call->arg[2]);
}

long hp_call_readlinkat(struct hp_call *call)
{
	if ((int)call->arg[3] <= 0)
		return HP_PASS;
	return read_link((int)call->arg[0], call->arg[1], call->arg[2], (int)call->arg[3]);
}

static long simple_path_call(struct hp_call *call, enum hp_want want, bool nofollow, int path_argument)
{
	long result;

	if (!hp_channel)
		return HP_PASS;
	for (int round = 0;; round++) {
		result = hp_syscall6(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3], call->arg[4],
				     call->arg[5]);
		if ((result != -ENOENT && result != -EACCES) || round == 4)
			return result;
		if (!hp_fault(AT_FDCWD, (const char *)call->arg[path_argument], result, want, nofollow, &result))
			return result;
	}
}

long hp_call_chdir(struct hp_call *call)
{
	long result = simple_path_call(call, HP_WANT_DIR, false, 0);

	hp_place_changed();
	return result;
}

long hp_call_fchdir(struct hp_call *call)
{
	long result = hp_syscall1(__NR_fchdir, call->arg[0]);

	hp_place_changed();
	return result;
}

#define HP_IN_DONT_FOLLOW 0x02000000

long hp_call_inotify_add_watch(struct hp_call *call)
{
	return simple_path_call(call, HP_WANT_READ, call->arg[2] & HP_IN_DONT_FOLLOW, 1);
}

/* In the loader: by now the program's content is in the mirror. */
long hp_open_program(const char *path)
{
	struct hp_open_how how = { .flags = HP_O_CLOEXEC };

	return hp_channel ? open_at(AT_FDCWD, path, &how, false) :
			    hp_syscall4(__NR_openat, AT_FDCWD, (long)path, HP_O_CLOEXEC, 0);
}
