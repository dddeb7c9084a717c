/* Reading files that need care: missing blocks come before the native read. */
#include <linux/fs.h>
#include <linux/uio.h>

#include "core.h"

/* Does the map say something, and nobody is about to change it? The caller is one of the readers. */
static inline bool can_look(const struct hp_file *file, uint64_t *offset, uint64_t *blocks)
{
	uint32_t sequence = __atomic_load_n(&file->sequence, __ATOMIC_ACQUIRE);

	*offset = file->map_offset;
	*blocks = file->map_blocks;
	return !(sequence & 1) && __atomic_load_n(&file->sequence, __ATOMIC_ACQUIRE) == sequence &&
	       !__atomic_load_n(&file->evicting, __ATOMIC_SEQ_CST);
}

static inline bool in_map(const struct hp_file *file, uint64_t first, uint64_t last)
{
	uint64_t offset, blocks;

	if (!can_look(file, &offset, &blocks))
		return false;
	if (offset == 0)
		return blocks == 0;
	for (uint64_t block = first; block <= last && block < blocks; block++) {
		uint64_t byte = offset + block / 8;

		if (byte >= HP_MAP_BYTES ||
		    !(__atomic_load_n(&hp_channel->maps[byte], __ATOMIC_ACQUIRE) >> (block % 8) & 1))
			return false;
	}
	return true;
}

/* As hp_hold of a file with HP_FILE_BLOCKS, if nothing has to be fetched for it. */
static inline __attribute__((always_inline)) bool hold_present(struct hp_file *file, uint64_t offset, uint64_t length)
{
	__atomic_add_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
	if (in_map(file, offset >> HP_BLOCK_SHIFT, (offset + length - 1) >> HP_BLOCK_SHIFT))
		return true;
	__atomic_sub_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
	return false;
}

/* Until hp_release the blocks of [offset, offset + length) stay present. */
long hp_hold(struct hp_file *file, uint64_t offset, uint64_t length)
{
	if (!(__atomic_load_n(&file->flags, __ATOMIC_ACQUIRE) & HP_FILE_BLOCKS) || length == 0) {
		__atomic_add_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
		if (!(__atomic_load_n(&file->flags, __ATOMIC_SEQ_CST) & HP_FILE_BLOCKS) || length == 0)
			return 0;
		__atomic_sub_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
	}
	for (int round = 0; round < 1000; round++) {
		struct hp_ask ask = { .op = HP_REQ_FILL,
				      .base = file->inode,
				      .arg = { (int64_t)offset, (int64_t)length } };
		int64_t answer;

		if (hold_present(file, offset, length))
			return 0;
		answer = hp_ask(&ask);
		if (answer < 0)
			return (long)answer;
		if (answer == HP_LOCAL || file->map_offset == 0)
			break;
	}
	__atomic_add_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* As hp_hold of the whole file, if nothing of it is missing. */
static inline __attribute__((always_inline)) bool hold_whole(struct hp_file *file)
{
	uint64_t offset, blocks;

	__atomic_add_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
	if (can_look(file, &offset, &blocks) && offset && !__atomic_load_n(&file->missing, __ATOMIC_ACQUIRE))
		return true;
	__atomic_sub_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
	return false;
}

void hp_release(struct hp_file *file)
{
	__atomic_sub_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
}

/* ---- reading ----------------------------------------------------------------- */

/* `at` < 0: at the descriptor's own position. */
static __attribute__((noinline)) long read_pieces(struct hp_file *file, int fd, long buffer, long length, int64_t at)
{
	long total = 0;

	while (total < length || length == 0) {
		long part = length - total < HP_PIECE ? length - total : HP_PIECE, got;
		int64_t offset = at >= 0 ? at + total : hp_syscall3(__NR_lseek, fd, 0, 1);

		if (offset < 0)
			return offset;
		got = hp_hold(file, (uint64_t)offset, (uint64_t)part);
		if (got == 0) {
			got = at >= 0 ? hp_syscall4(__NR_pread64, fd, buffer + total, part, offset) :
					hp_syscall3(__NR_read, fd, buffer + total, part);
			hp_release(file);
		}
		if (got <= 0)
			return total ? total : got;
		total += got;
		if (got < part)
			break;
	}
	return total;
}

/* What needs no fetching is read in here: each function that a system call returns
 * through costs a mispredicted return. */
long hp_call_read(struct hp_call *call)
{
	struct hp_file *file = hp_fd_blocks((int)call->arg[0]);
	long result;

	if (!file || call->arg[2] <= 0)
		return HP_PASS;
	if (hold_whole(file)) {
		result = hp_syscall3(__NR_read, call->arg[0], call->arg[1], call->arg[2]);
		hp_release(file);
		return result;
	}
	return read_pieces(file, (int)call->arg[0], call->arg[1], call->arg[2], -1);
}

long hp_call_pread64(struct hp_call *call)
{
	struct hp_file *file = hp_fd_blocks((int)call->arg[0]);
	long length = call->arg[2], offset = call->arg[3], result;

	if (!file || length <= 0 || offset < 0)
		return HP_PASS;
	if (length <= HP_PIECE && hold_present(file, (uint64_t)offset, (uint64_t)length)) {
		result = hp_syscall4(__NR_pread64, call->arg[0], call->arg[1], length, offset);
		hp_release(file);
		return result;
	}
	return read_pieces(file, (int)call->arg[0], call->arg[1], call->arg[2], call->arg[3]);
}

long hp_vector_length(long user, long count)
{
	long total = 0;

	if (count < 0 || count > 1024)
		return -1;
	for (long i = 0; i < count; i++) {
		struct iovec part;

		if (hp_user_read(&part, (const void *)(user + i * (long)sizeof part), sizeof part) ||
		    (long)part.iov_len < 0)
			return -1;
		total += (long)part.iov_len;
		if (total > 0x7ffff000)
			return 0x7ffff000;
	}
	return total;
}

static long read_vector(struct hp_call *call, int64_t at)
{
	int fd = (int)call->arg[0];
	struct hp_file *file = hp_fd_blocks(fd);
	long length, result;
	int64_t offset;

	if (!file || (length = hp_vector_length(call->arg[1], call->arg[2])) <= 0)
		return HP_PASS;
	offset = at >= 0 ? at : hp_syscall3(__NR_lseek, fd, 0, 1);
	if (offset < 0)
		return HP_PASS;
	result = hp_hold(file, (uint64_t)offset, (uint64_t)length);
	if (result)
		return result;
	result = hp_syscall6(call->nr, fd, call->arg[1], call->arg[2], call->arg[3], call->arg[4], call->arg[5]);
	hp_release(file);
	return result;
}

long hp_call_readv(struct hp_call *call)
{
	return read_vector(call, -1);
}

long hp_call_preadv(struct hp_call *call)
{
	return call->arg[3] < 0 ? HP_PASS : read_vector(call, call->arg[3]);
}

bool hp_drop_advice(struct hp_call *call, long flags)
{
	struct hp_stat stat;

	if (!(call->arg[5] & flags) || !hp_channel || hp_syscall2(__NR_fstat, call->arg[0], (long)&stat) ||
	    !hp_is_home(stat.dev, stat.ino))
		return false;
	call->arg[5] &= ~flags;
	return true;
}

long hp_call_preadv2(struct hp_call *call)
{
	bool changed = hp_drop_advice(call, RWF_NOWAIT | HP_RWF_DONTCACHE);
	long result = call->arg[3] < -1 ? HP_PASS : read_vector(call, call->arg[3]);

	return result == HP_PASS && changed ? HP_TAIL : result;
}
