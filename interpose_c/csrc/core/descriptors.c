/* What each descriptor stands for: nothing of ours, or a file that needs care.
 *
 * A table per process, filled at first use by looking at the inode; whatever
 * gives a number a new meaning sets it back to "unknown". A vfork child has
 * descriptors of its own but this memory with its parent: it only forgets,
 * never stores.
 */
#include "core.h"

uint32_t hp_fd_kinds[HP_FDS];

void hp_fd_forget(int fd)
{
	if (fd >= 0 && fd < HP_FDS)
		__atomic_store_n(&hp_fd_kinds[fd], 0, __ATOMIC_RELAXED);
}

void hp_fd_set(int fd, uint32_t kind)
{
	if (fd >= 0 && fd < HP_FDS)
		__atomic_store_n(&hp_fd_kinds[fd], hp_in_vfork_child() ? 0 : kind, __ATOMIC_RELAXED);
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

static __attribute__((noinline)) uint32_t kind_unknown(int fd)
{
	uint32_t kind = classify(fd);

	if (kind)
		hp_fd_set(fd, kind);
	return kind;
}

static inline uint32_t kind_of(int fd)
{
	uint32_t kind;

	if (!hp_channel || fd < 0)
		return HP_FD_PLAIN;
	kind = fd < HP_FDS ? __atomic_load_n(&hp_fd_kinds[fd], __ATOMIC_RELAXED) : 0;
	return kind ? kind : kind_unknown(fd);
}

uint32_t hp_fd_kind(int fd)
{
	return kind_of(fd);
}

__attribute__((noinline)) struct hp_file *hp_fd_file(int fd)
{
	return file_of(kind_of(fd));
}

struct hp_file *hp_fd_blocks(int fd)
{
	struct hp_file *file = file_of(kind_of(fd));

	return file && __atomic_load_n(&file->flags, __ATOMIC_ACQUIRE) & HP_FILE_BLOCKS ? file : NULL;
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

/* F_SETFL with O_APPEND: from now on what is written through the descriptor
 * goes behind home's end. */
long hp_fd_append(int fd)
{
	struct hp_ask ask = { .op = HP_REQ_APPEND };
	struct hp_file *file = hp_fd_file(fd);
	int64_t answer;

	__atomic_store_n(&hp_channel->append_set, 1, __ATOMIC_SEQ_CST);
	if (!file || __atomic_load_n(&file->flags, __ATOMIC_ACQUIRE) & HP_FILE_APPENDS)
		return 0;
	ask.base = file->inode;
	answer = hp_ask(&ask);
	return answer < 0 ? (long)answer : 0;
}

void hp_fd_numbered(int fd, uint32_t number)
{
	if (number == 0 || (hp_fd_kind(fd) & ~HP_FD_APPEND) == HP_FD_FILE + number)
		return;
	for (int i = 0; i < HP_FDS; i++)
		if (__atomic_load_n(&hp_fd_kinds[i], __ATOMIC_RELAXED) == HP_FD_PLAIN)
			__atomic_store_n(&hp_fd_kinds[i], 0, __ATOMIC_RELAXED);
}

/* POSIX locks end with any close; the starter finds out which ones that were. */
static long close_locked(int fd, const struct hp_file *file)
{
	struct hp_ask ask = { .op = HP_REQ_UNLOCKED,
			      .base = file->inode,
			      .arg = { HP_LOCK_WHOLE, F_UNLCK, 0, HP_LOCK_END } };
	long result = hp_syscall1(__NR_close, fd);

	hp_ask(&ask);
	return result;
}

/* With the last one the file itself goes. */
static long close_nameless(int fd, struct hp_file *file)
{
	long result = hp_syscall1(__NR_close, fd);

	hp_ring(file);
	return result;
}

long hp_call_close(struct hp_call *call)
{
	int fd = (int)call->arg[0];
	uint32_t kind = fd >= 0 && fd < HP_FDS ? __atomic_load_n(&hp_fd_kinds[fd], __ATOMIC_RELAXED) : 0;
	struct hp_file *file;
	uint32_t flags;
	int error;

	if (!hp_channel)
		return HP_PASS;
	hp_fd_forget(fd);
	file = file_of(kind);
	if (!file)
		return HP_PASS;
	flags = __atomic_load_n(&file->flags, __ATOMIC_RELAXED);
	if (!__atomic_load_n(&file->error, __ATOMIC_RELAXED)) {
		if (flags & HP_FILE_LOCKED)
			return close_locked(fd, file);
		return flags & HP_FILE_NAMELESS ? close_nameless(fd, file) : HP_PASS;
	}
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
