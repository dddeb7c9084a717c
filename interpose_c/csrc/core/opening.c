/* open and its kin. */
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
	hp_overlay(&stat, NULL);
	return stat.uid == (uint32_t)user;
}

/* What is not home's was opened without O_TRUNC, as it could have been home's. It may have been made just now,
 * with rights that forbid to open it for writing again; an empty one is taken for such. */
static long truncate_now(long fd, int dirfd, const char *path, const struct hp_open_how *how, bool extended)
{
	struct hp_stat stat;
	long again, failed;

	if (hp_syscall2(__NR_fstat, fd, (long)&stat) ||
	    ((stat.mode & 0170000) != 0100000 && (stat.mode & 0170000) != 0040000))
		return fd; /* a FIFO whose other end has been waited for, a device */
	if (how->flags & HP_O_CREAT && hp_syscall3(__NR_fcntl, fd, F_CREATED_QUERY, 0) == 1)
		return fd; /* empty as it is, and who watches would hear of a change (kernels before 6.12 do not say) */
	if (writes(how->flags) && (stat.mode & 0170000) == 0100000) {
		failed = hp_syscall2(__NR_ftruncate, fd, 0);
		if (!failed)
			return fd;
		hp_syscall1(__NR_close, fd);
		return failed;
	}
	again = native_open(dirfd, path, how, extended);
	if (again == -EACCES && how->flags & HP_O_CREAT && stat.size == 0)
		return fd;
	hp_syscall1(__NR_close, fd);
	return again;
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
	if (!entry.file || !(entry.attr.access & 2) || ((how->flags & 3) == 2 && !(entry.attr.access & 4)))
		return 1;
	if (how->flags & HP_O_APPEND &&
	    !(__atomic_load_n(&hp_channel->files[entry.file].flags, __ATOMIC_ACQUIRE) & HP_FILE_APPENDS))
		return 1;
	if (how->flags & HP_O_TRUNC && entry.attr.nlink == 0) { /* by /proc/self/fd: home knows it by its handle */
		struct hp_ask cut = { .op = HP_REQ_TRUNCATE, .base = stat.ino };
		int64_t answer = hp_ask(&cut);

		if (answer < 0)
			return (int)answer;
	} else if (how->flags & HP_O_TRUNC) {
		return 1;
	}
	hp_fd_set((int)fd, hp_fd_file_kind(entry.file, how->flags));
	return 0;
}

/* What leads there may have come from home only now: what the kernel said before does not count. */
static long open_local(int dirfd, const char *path, const struct hp_open_how *how, bool extended)
{
	long fd = native_open(dirfd, path, how, extended);

	if (fd >= 0)
		hp_fd_forget((int)fd);
	return fd;
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
		ask.arg[1] = hp_new_mode((long)how->mode & 07777);
		answer = hp_ask(&ask);
		if (answer == HP_LOCAL)
			return open_local(dirfd, path, how, extended);
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

	if ((fd != -EACCES && fd != -ENOENT) || !*path)
		return fd;
	hp_locate(dirfd, path, &where);
	if (where.foreign)
		return fd;
	ask.base = where.base;
	ask.data1 = where.path;
	ask.len1 = where.length;
	ask.arg[0] = (int64_t)how->flags;
	ask.arg[1] = hp_new_mode((long)how->mode & 07777);
	ask.reply = private;
	ask.room = sizeof private;
	answer = hp_ask(&ask);
	if (answer != HP_RETRY)
		return answer == HP_LOCAL ? open_local(dirfd, path, how, extended) : (long)answer;
	second.flags = ask.value[0];
	fd = open_now(AT_FDCWD, private, &second, false);
	if (fd >= 0)
		hp_fd_set((int)fd, hp_fd_file_kind((uint32_t)ask.value[1], how->flags));
	return fd;
}

static long open_at(int dirfd, const char *path, struct hp_open_how *how, bool extended)
{
	const uint64_t made_here = HP_O_CREAT | HP_O_EXCL; /* what they have made is empty */
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
			const char *name = path;

			for (; how->resolve & RESOLVE_IN_ROOT && *name == '/'; name++)
				; /* the root meant is `dirfd` */
			if (!hp_fault(dirfd, name, fd, HP_WANT_STAT, how->flags & HP_O_NOFOLLOW, &fd))
				break;
			fd = native_open(dirfd, path, how, extended);
		}
		if (fd < 0)
			return fd;
		hp_fd_forget((int)fd);
		if (path[0] != '/' || how->resolve || how->flags & HP_O_NOFOLLOW ||
		    (exe = hp_exe_alias(path, alias, sizeof alias)) == NULL)
			return fd;
		hp_syscall1(__NR_close, fd);
		return open_at(AT_FDCWD, exe, how, extended);
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
		if (verdict == 0 && path[0] == '/' && hp_is_memory(path))
			hp_gate_pass(); /* what still follows would be an error to read */
		if (verdict == 0 && path[0] == '/' && (exe = hp_exe_alias(path, alias, sizeof alias)) != NULL) {
			hp_syscall1(__NR_close, fd);
			return open_at(AT_FDCWD, exe, how, extended);
		}
		if (verdict == 0)
			return how->flags & HP_O_TRUNC && (how->flags & made_here) != made_here ?
				       truncate_now(fd, dirfd, path, how, extended) :
				       fd;
		hp_syscall1(__NR_close, fd);
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

/* In the loader: by now the program's content is in the mirror. */
long hp_open_program(const char *path)
{
	struct hp_open_how how = { .flags = HP_O_CLOEXEC };

	return hp_channel ? open_at(AT_FDCWD, path, &how, false) :
			    hp_syscall4(__NR_openat, AT_FDCWD, (long)path, HP_O_CLOEXEC, 0);
}
