/* stat and its kin: the kernel's answer, with what home says laid over it. */
#include "core.h"

/* newfstatat once more, as often as a fault helps: `result` is what it said. */
static __attribute__((noinline)) long stat_faulted(int dirfd, const char *path, struct hp_stat *stat, int flags,
						   long result)
{
	for (int round = 0; (result == -ENOENT || result == -EACCES) && round < 4; round++) {
		if (!hp_fault(dirfd, path, result, HP_WANT_STAT, flags & HP_AT_NOFOLLOW, &result))
			break;
		result = hp_syscall4(__NR_newfstatat, dirfd, (long)path, (long)stat, flags);
	}
	return result;
}

/* newfstatat, with faults but without the overlay: the mirror's own numbers. */
long hp_stat_path(int dirfd, const char *path, struct hp_stat *stat, int flags)
{
	long result = hp_syscall4(__NR_newfstatat, dirfd, (long)path, (long)stat, flags);

	return result && hp_channel ? stat_faulted(dirfd, path, stat, flags, result) : result;
}

__attribute__((noinline)) long hp_stat_program(const char *path, struct hp_stat *stat)
{
	char alias[HP_EXE_MAX + 4];
	const char *exe = hp_exe_alias(path, alias, sizeof alias);

	return exe ? hp_stat_path(AT_FDCWD, exe, stat, 0) : 0;
}

static __attribute__((noinline)) long stat_again(int dirfd, const char *path, struct hp_stat *stat, int flags,
						 uint32_t *seen)
{
	long result;

	do {
		result = hp_stat_path(dirfd, path, stat, flags);
		if (result == 0 && path && !(flags & HP_AT_NOFOLLOW) && hp_starts(path, "/proc/"))
			result = hp_stat_program(path, stat);
	} while (result == 0 && !hp_overlay(stat, seen));
	return result;
}

/* Inlined, as each function that a system call returns through costs a mispredicted return. */
static inline __attribute__((always_inline)) long stat_to(int dirfd, long path, long user, int flags)
{
	struct hp_stat *stat = (struct hp_stat *)user; /* the kernel has just written there */
	uint32_t seen = HP_SEEN_NONE;
	struct hp_moment before;
	long result;

	if (!hp_channel)
		return HP_PASS;
	before = hp_moment_now();
	result = hp_syscall4(__NR_newfstatat, dirfd, path, user, flags);
	if (result == -ENOENT && hp_known_absent(dirfd, (const char *)path, &before))
		return result;
	if (result)
		result = stat_faulted(dirfd, (const char *)path, stat, flags, result);
	if (result == 0 && path && !(flags & HP_AT_NOFOLLOW) && hp_starts((const char *)path, "/proc/"))
		result = hp_stat_program((const char *)path, stat);
	if (result == 0 && !hp_overlay(stat, &seen))
		result = stat_again(dirfd, (const char *)path, stat, flags, &seen);
	return result;
}

long hp_call_stat(struct hp_call *call)
{
	return stat_to(AT_FDCWD, call->arg[0], call->arg[1], 0);
}

long hp_call_lstat(struct hp_call *call)
{
	return stat_to(AT_FDCWD, call->arg[0], call->arg[1], HP_AT_NOFOLLOW);
}

long hp_call_newfstatat(struct hp_call *call)
{
	return stat_to((int)call->arg[0], call->arg[1], call->arg[2], (int)call->arg[3]);
}

long hp_call_fstat(struct hp_call *call)
{
	uint32_t seen = HP_SEEN_NONE;
	long result;

	do
		result = hp_syscall2(__NR_fstat, call->arg[0], call->arg[1]);
	while (result == 0 && !hp_overlay((struct hp_stat *)call->arg[1], &seen));
	return result;
}

/* dev_t as struct stat carries it, from the two halves that statx has. */
static uint64_t make_dev(uint32_t major, uint32_t minor)
{
	return (minor & 0xffu) | (uint64_t)(major & 0xfffu) << 8 | (uint64_t)(minor & ~0xffu) << 12 |
	       (uint64_t)(major & ~0xfffu) << 32;
}

static bool overlay_statx(struct statx *user, uint32_t *seen)
{
	struct hp_stat stat = { 0 };
	struct hp_attr_entry entry;

	stat.dev = make_dev(user->stx_dev_major, user->stx_dev_minor);
	stat.ino = user->stx_ino;
	if (stat.dev != hp_channel->mirror_dev || !hp_home_attr(stat.ino, &entry))
		return true;
	stat.size = (int64_t)user->stx_size;
	stat.blocks = (int64_t)user->stx_blocks;
	stat.atime_s = (uint64_t)user->stx_atime.tv_sec;
	stat.atime_ns = user->stx_atime.tv_nsec;
	stat.mtime_s = (uint64_t)user->stx_mtime.tv_sec;
	stat.mtime_ns = user->stx_mtime.tv_nsec;
	if (!hp_overlay(&stat, seen))
		return false;
	user->stx_dev_major = (uint32_t)((stat.dev >> 8 & 0xfff) | (stat.dev >> 32 & ~0xfffull));
	user->stx_dev_minor = (uint32_t)((stat.dev & 0xff) | (stat.dev >> 12 & ~0xffull));
	user->stx_ino = stat.ino;
	user->stx_nlink = (uint32_t)stat.nlink;
	user->stx_mode = (uint16_t)stat.mode;
	user->stx_uid = stat.uid;
	user->stx_gid = stat.gid;
	user->stx_size = (uint64_t)stat.size;
	user->stx_blocks = (uint64_t)stat.blocks;
	user->stx_blksize = (uint32_t)stat.blksize;
	user->stx_atime.tv_sec = (int64_t)stat.atime_s;
	user->stx_atime.tv_nsec = (uint32_t)stat.atime_ns;
	user->stx_mtime.tv_sec = (int64_t)stat.mtime_s;
	user->stx_mtime.tv_nsec = (uint32_t)stat.mtime_ns;
	user->stx_ctime.tv_sec = (int64_t)stat.ctime_s;
	user->stx_ctime.tv_nsec = (uint32_t)stat.ctime_ns;
	user->stx_btime.tv_sec = entry.attr.btime_s;
	user->stx_btime.tv_nsec = entry.attr.btime_ns;
	if (entry.attr.btime_s)
		user->stx_mask |= 0x800u; /* STATX_BTIME */
	return true;
}

long hp_call_statx(struct hp_call *call)
{
	int dirfd = (int)call->arg[0], flags = (int)call->arg[2];
	const char *path = (const char *)call->arg[1];
	char alias[HP_EXE_MAX + 4];
	const char *exe;
	long mask = call->arg[3] | 0x7ff, result;
	uint32_t seen = HP_SEEN_NONE;
	struct hp_moment before;

	if (!hp_channel)
		return HP_PASS;
	before = hp_moment_now();
	result = hp_syscall5(__NR_statx, dirfd, (long)path, flags, mask, call->arg[4]);
	if (result == -ENOENT && hp_known_absent(dirfd, path, &before))
		return result;
	for (int round = 0; (result == -ENOENT || result == -EACCES) && round < 4; round++) {
		if (!hp_fault(dirfd, path, result, HP_WANT_STAT, flags & HP_AT_NOFOLLOW, &result))
			return result;
		result = hp_syscall5(__NR_statx, dirfd, (long)path, flags, mask, call->arg[4]);
	}
	if (result)
		return result;
	exe = path && !(flags & HP_AT_NOFOLLOW) ? hp_exe_alias(path, alias, sizeof alias) : NULL;
	if (exe)
		result = hp_syscall5(__NR_statx, AT_FDCWD, (long)exe, 0, mask, call->arg[4]);
	while (result == 0 && !overlay_statx((struct statx *)call->arg[4], &seen))
		result = hp_syscall5(__NR_statx, exe ? AT_FDCWD : dirfd, (long)(exe ? exe : path), exe ? 0 : flags,
				     mask, call->arg[4]);
	return result;
}

/* The mirror's mode bits say what has come, not what is allowed: answer from
 * what home would allow. */
static long access_to(int dirfd, long path, int mode, int flags)
{
	struct hp_moment before;
	struct hp_attr_entry entry;
	struct hp_stat stat;
	char alias[HP_EXE_MAX + 4];
	const char *exe;
	long result;

	if (!hp_channel)
		return HP_PASS;
	if (mode & ~7 || flags & ~(0x200 | HP_AT_NOFOLLOW | HP_AT_EMPTY_PATH))
		return -EINVAL;
	before = hp_moment_now();
	/* the mirror never allows what home does not: a yes needs no second question */
	result = flags ? hp_syscall4(__NR_faccessat2, dirfd, path, mode, flags) :
			 hp_syscall3(__NR_faccessat, dirfd, path, mode);
	if (result == 0 && !hp_starts((const char *)path, "/proc/"))
		return 0;
	if (result == -ENOENT && hp_known_absent(dirfd, (const char *)path, &before))
		return result;
	result = hp_stat_path(dirfd, (const char *)path, &stat, flags & (HP_AT_NOFOLLOW | HP_AT_EMPTY_PATH));
	if (result)
		return result;
	if (path && (exe = hp_exe_alias((const char *)path, alias, sizeof alias)) != NULL)
		result = hp_stat_path(AT_FDCWD, exe, &stat, 0);
	if (result)
		return result;
	if (stat.dev != hp_channel->mirror_dev || !hp_home_attr(stat.ino, &entry))
		return HP_PASS;
	return (uint32_t)mode & ~entry.attr.access ? -EACCES : 0;
}

long hp_call_access(struct hp_call *call)
{
	return access_to(AT_FDCWD, call->arg[0], (int)call->arg[1], 0);
}

long hp_call_faccessat(struct hp_call *call)
{
	return access_to((int)call->arg[0], call->arg[1], (int)call->arg[2], 0);
}

long hp_call_faccessat2(struct hp_call *call)
{
	return access_to((int)call->arg[0], call->arg[1], (int)call->arg[2], (int)call->arg[3]);
}

/* ---- file systems ---------------------------------------------------------- */

static long statfs_of(long result, uint64_t dev, uint64_t inode, long user)
{
	struct hp_ask ask = { .op = HP_REQ_STATFS, .base = inode };
	char reply[120];
	int64_t answer;

	if (result || !hp_is_home(dev, inode))
		return result;
	ask.reply = reply;
	ask.room = sizeof reply;
	answer = hp_ask(&ask);
	if (answer < 0)
		return (long)answer;
	if (ask.reply_len == sizeof reply)
		memcpy((void *)user, reply, sizeof reply);
	return 0;
}

long hp_call_statfs(struct hp_call *call)
{
	struct hp_stat stat;
	long result;

	if (!hp_channel)
		return HP_PASS;
	result = hp_stat_path(AT_FDCWD, (const char *)call->arg[0], &stat, 0);
	if (result)
		return result;
	result = hp_syscall2(__NR_statfs, call->arg[0], call->arg[1]);
	return statfs_of(result, stat.dev, stat.ino, call->arg[1]);
}

long hp_call_fstatfs(struct hp_call *call)
{
	struct hp_stat stat;
	long result = hp_syscall2(__NR_fstatfs, call->arg[0], call->arg[1]);

	if (result || hp_syscall2(__NR_fstat, call->arg[0], (long)&stat))
		return result;
	return statfs_of(result, stat.dev, stat.ino, call->arg[1]);
}
