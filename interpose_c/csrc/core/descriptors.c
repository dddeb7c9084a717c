/* What each descriptor stands for: nothing of ours, or a file that needs care.
 *
 * A table per process, filled at first use by looking at the inode; whatever
 * gives a number a new meaning sets it back to "unknown". A vfork child has
 * descriptors of its own but this memory with its parent: it only forgets,
 * never stores.
 */
#include "core.h"

#define HP_FDS 65536

static uint32_t kinds[HP_FDS];

void hp_fd_forget(int fd)
{
	if (fd >= 0 && fd < HP_FDS)
		__atomic_store_n(&kinds[fd], 0, __ATOMIC_RELAXED);
}

void hp_fd_set(int fd, uint32_t kind)
{
	if (fd >= 0 && fd < HP_FDS)
		__atomic_store_n(&kinds[fd], hp_in_vfork_child() ? 0 : kind, __ATOMIC_RELAXED);
}

static struct hp_file *file_of(uint32_t kind)
{
	return kind >= HP_FD_FILE ? &hp_channel->files[(kind & ~HP_FD_APPEND) - HP_FD_FILE] : NULL;
}

static uint32_t classify(int fd)
{
	struct hp_attr_entry entry;
	struct hp_stat stat;

	if (hp_syscall2(__NR_fstat, fd, (long)&stat))
		return 0;
	if (stat.dev != hp_channel->mirror_dev || (stat.mode & 0170000) != 0100000 || !hp_home_attr(stat.ino, &entry) ||
	    entry.file == 0 || entry.file >= HP_FILES)
		return HP_FD_PLAIN;
	return hp_fd_file_kind(entry.file, (uint64_t)hp_syscall3(__NR_fcntl, fd, F_GETFL, 0));
}

uint32_t hp_fd_kind(int fd)
{
	uint32_t kind;

	if (!hp_channel || fd < 0)
		return HP_FD_PLAIN;
	kind = fd < HP_FDS ? __atomic_load_n(&kinds[fd], __ATOMIC_RELAXED) : 0;
	if (kind)
		return kind;
	kind = classify(fd);
	if (kind)
		hp_fd_set(fd, kind);
	return kind;
}

struct hp_file *hp_fd_file(int fd)
{
	uint32_t kind = hp_fd_kind(fd);

	return file_of(kind);
}

/* fcntl may change it for every process that shares the description, so once
 * anyone in the job has, the kernel is asked each time. */
bool hp_fd_appends(int fd)
{
	uint32_t kind = hp_fd_kind(fd);

	if (kind >= HP_FD_FILE && !(kind & HP_FD_APPEND) && !__atomic_load_n(&hp_channel->append_set, __ATOMIC_SEQ_CST))
		return false;
	return hp_syscall3(__NR_fcntl, fd, F_GETFL, 0) & HP_O_APPEND;
}

long hp_call_fcntl(struct hp_call *call)
{
	if ((int)call->arg[1] == F_SETFL && call->arg[2] & HP_O_APPEND && hp_channel)
		__atomic_store_n(&hp_channel->append_set, 1, __ATOMIC_SEQ_CST);
	return HP_PASS;
}

long hp_call_close(struct hp_call *call)
{
	int fd = (int)call->arg[0];
	uint32_t kind = fd >= 0 && fd < HP_FDS ? __atomic_load_n(&kinds[fd], __ATOMIC_RELAXED) : 0;
	struct hp_file *file;
	int error;

	if (!hp_channel)
		return HP_PASS;
	hp_fd_forget(fd);
	file = file_of(kind);
	if (!file || !__atomic_load_n(&file->error, __ATOMIC_RELAXED))
		return HP_PASS;
	error = __atomic_exchange_n(&file->error, 0, __ATOMIC_SEQ_CST);
	hp_syscall1(__NR_close, fd);
	return -error;
}

long hp_call_close_range(struct hp_call *call)
{
	unsigned long first = (unsigned)call->arg[0], last = (unsigned)call->arg[1];

	for (unsigned long fd = first; fd <= last && fd < HP_FDS; fd++)
		hp_fd_forget((int)fd);
	return HP_PASS;
}

long hp_call_dup2(struct hp_call *call)
{
	if (call->arg[0] != call->arg[1])
		hp_fd_forget((int)call->arg[1]);
	return HP_PASS;
}

long hp_call_dup3(struct hp_call *call)
{
	return hp_call_dup2(call);
}
