/* Sizes, holes, and waiting until home has what was written. */
#include <linux/falloc.h>

#include "core.h"

long hp_call_lseek(struct hp_call *call)
{
	struct hp_file *file;
	struct hp_stat stat;
	long result;

	if (call->arg[2] != 3 && call->arg[2] != 4)
		return HP_PASS;
	file = hp_fd_blocks((int)call->arg[0]);
	if (!file || hp_syscall2(__NR_fstat, call->arg[0], (long)&stat))
		return HP_PASS;
	if (call->arg[1] < 0 || call->arg[1] >= stat.size)
		return HP_PASS;
	/* a hole may be a block that has not come; zeros that came are left as holes */
	result = hp_hold(file, (uint64_t)call->arg[1], (uint64_t)(stat.size - call->arg[1]));
	if (result)
		return result;
	result = hp_syscall3(__NR_lseek, call->arg[0], call->arg[1], call->arg[2]);
	hp_release(file);
	return result;
}

/* Growth beyond RLIMIT_FSIZE: the kernel's refusal comes with a signal. */
bool hp_too_large(int64_t size, int dirfd, const char *path)
{
	struct hp_stat stat;
	uint64_t limit[2];

	if (hp_syscall4(__NR_prlimit64, 0, 1 /* RLIMIT_FSIZE */, 0, (long)limit) || (uint64_t)size <= limit[0])
		return false;
	return hp_syscall4(__NR_newfstatat, dirfd, (long)path, (long)&stat, HP_AT_EMPTY_PATH) || size > stat.size;
}

long hp_call_ftruncate(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);
	struct hp_ask ask = { .op = HP_REQ_TRUNCATE, .arg = { call->arg[1] } };
	long flags;

	if (!file || call->arg[1] < 0 || hp_too_large(call->arg[1], (int)call->arg[0], ""))
		return HP_PASS;
	flags = hp_syscall3(__NR_fcntl, call->arg[0], F_GETFL, 0);
	if (flags < 0 || !hp_flags_write(flags))
		return HP_PASS;
	ask.base = file->inode;
	return (long)hp_ask(&ask);
}

long hp_call_fallocate(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);
	struct hp_ask ask = { .op = HP_REQ_ALLOCATE, .arg = { call->arg[1], call->arg[2], call->arg[3] } };
	long flags;

	if (!file || call->arg[2] < 0 || call->arg[3] <= 0 || call->arg[3] > INT64_MAX - call->arg[2] ||
	    (!(call->arg[1] & ~(long)FALLOC_FL_ZERO_RANGE) &&
	     hp_too_large(call->arg[2] + call->arg[3], (int)call->arg[0], "")))
		return HP_PASS;
	flags = hp_syscall3(__NR_fcntl, call->arg[0], F_GETFL, 0);
	if (flags < 0 || !hp_flags_write(flags))
		return HP_PASS;
	ask.base = file->inode;
	return (long)hp_ask(&ask);
}

long hp_sync_file(struct hp_file *file)
{
	struct hp_ask ask = { .op = HP_REQ_SYNC, .base = file ? file->inode : 0 };
	int64_t answer = hp_ask(&ask);

	if (file) {
		int lost = hp_lost_write(file);

		if (lost)
			return -lost;
	}
	return answer < 0 ? (long)answer : 0;
}

/* With O_PATH the kernel refuses. */
static struct hp_file *file_to_sync(int fd)
{
	struct hp_file *file = hp_fd_file(fd);

	return file && !(hp_syscall3(__NR_fcntl, fd, F_GETFL, 0) & HP_O_PATH) ? file : NULL;
}

static long sync_directory(int fd)
{
	struct hp_ask ask = { .op = HP_REQ_SYNC };
	struct hp_stat stat;
	int64_t answer;

	if (!hp_channel || hp_syscall2(__NR_fstat, fd, (long)&stat) || (stat.mode & 0170000) != 0040000 ||
	    !hp_is_home(stat.dev, stat.ino) || hp_syscall3(__NR_fcntl, fd, F_GETFL, 0) & HP_O_PATH)
		return HP_PASS;
	ask.base = stat.ino;
	answer = hp_ask(&ask);
	return answer < 0 ? (long)answer : 0;
}

long hp_call_fsync(struct hp_call *call)
{
	struct hp_file *file = file_to_sync((int)call->arg[0]);

	return file ? hp_sync_file(file) : sync_directory((int)call->arg[0]);
}

long hp_call_fdatasync(struct hp_call *call)
{
	return hp_call_fsync(call);
}

long hp_call_sync_file_range(struct hp_call *call)
{
	struct hp_file *file = file_to_sync((int)call->arg[0]);
	bool is_range = call->arg[1] >= 0 && call->arg[2] >= 0 && call->arg[2] <= INT64_MAX - call->arg[1];

	return file && is_range && !(call->arg[3] & ~7l) ? hp_sync_file(file) : HP_PASS;
}

long hp_call_sync(struct hp_call *call)
{
	(void)call;
	if (hp_channel)
		hp_sync_file(NULL);
	return 0; /* never fails, sync(2) */
}

long hp_call_syncfs(struct hp_call *call)
{
	long result = hp_syscall1(__NR_syncfs, call->arg[0]);

	return result || !hp_channel ? result : hp_sync_file(NULL);
}
