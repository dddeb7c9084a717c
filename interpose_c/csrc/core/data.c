/* Reading and writing files that need care: blocks come before a native read,
 * byte ranges are noted around a native write. */
#include <linux/futex.h>
#include <linux/uio.h>

#include "core.h"

#define PIECE (4l << 20) /* fetched at once: a file larger than the mirror streams through */

static bool in_map(const struct hp_file *file, uint64_t first, uint64_t last)
{
	uint32_t sequence = __atomic_load_n(&file->sequence, __ATOMIC_ACQUIRE);
	uint64_t offset = file->map_offset, blocks = file->map_blocks;

	if (sequence & 1 || __atomic_load_n(&file->sequence, __ATOMIC_ACQUIRE) != sequence ||
	    __atomic_load_n(&file->evicting, __ATOMIC_SEQ_CST))
		return false;
	if (offset == 0)
		return blocks == 0;
	for (uint64_t block = first; block <= last && block < blocks; block++) {
		uint64_t byte = offset + block / 8;

		if (byte >= HP_MAP_BYTES || !(__atomic_load_n(&hp_channel->maps[byte], __ATOMIC_ACQUIRE) >> (block % 8) & 1))
			return false;
	}
	return true;
}

/* Until hp_release the blocks of [offset, offset + length) stay present. */
static long hold(struct hp_file *file, uint64_t offset, uint64_t length)
{
	if (!(__atomic_load_n(&file->flags, __ATOMIC_ACQUIRE) & HP_FILE_BLOCKS) || length == 0) {
		__atomic_add_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
		if (!(__atomic_load_n(&file->flags, __ATOMIC_SEQ_CST) & HP_FILE_BLOCKS) || length == 0)
			return 0;
		__atomic_sub_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
	}
	for (int round = 0; round < 1000; round++) {
		struct hp_ask ask = { .op = HP_REQ_FILL, .base = file->inode, .arg = { (int64_t)offset, (int64_t)length } };
		int64_t answer;

		__atomic_add_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
		if (in_map(file, offset >> HP_BLOCK_SHIFT, (offset + length - 1) >> HP_BLOCK_SHIFT))
			return 0;
		__atomic_sub_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
		answer = hp_ask(&ask);
		if (answer < 0)
			return (long)answer;
		if (answer == HP_LOCAL || file->map_offset == 0)
			break;
	}
	__atomic_add_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void release(struct hp_file *file)
{
	__atomic_sub_fetch(&file->readers, 1, __ATOMIC_SEQ_CST);
}

/* ---- reading ----------------------------------------------------------------- */

static struct hp_file *blocks_of(int fd)
{
	struct hp_file *file = hp_fd_file(fd);

	return file && __atomic_load_n(&file->flags, __ATOMIC_ACQUIRE) & HP_FILE_BLOCKS ? file : NULL;
}

/* `at` < 0: at the descriptor's own position. */
static long read_pieces(struct hp_file *file, int fd, long buffer, long length, int64_t at)
{
	long total = 0;

	while (total < length || length == 0) {
		long part = length - total < PIECE ? length - total : PIECE, got;
		int64_t offset = at >= 0 ? at + total : hp_syscall3(__NR_lseek, fd, 0, 1);

		if (offset < 0)
			return offset;
		got = hold(file, (uint64_t)offset, (uint64_t)part);
		if (got == 0) {
			got = at >= 0 ? hp_syscall4(__NR_pread64, fd, buffer + total, part, offset) :
					hp_syscall3(__NR_read, fd, buffer + total, part);
			release(file);
		}
		if (got <= 0)
			return total ? total : got;
		total += got;
		if (got < part)
			break;
	}
	return total;
}

long hp_call_read(struct hp_call *call)
{
	struct hp_file *file = blocks_of((int)call->arg[0]);

	if (!file || call->arg[2] <= 0)
		return HP_PASS;
	return read_pieces(file, (int)call->arg[0], call->arg[1], call->arg[2], -1);
}

long hp_call_pread64(struct hp_call *call)
{
	struct hp_file *file = blocks_of((int)call->arg[0]);

	if (!file || call->arg[2] <= 0 || call->arg[3] < 0)
		return HP_PASS;
	return read_pieces(file, (int)call->arg[0], call->arg[1], call->arg[2], call->arg[3]);
}

static long vector_length(long user, long count)
{
	long total = 0;

	if (count < 0 || count > 1024)
		return -1;
	for (long i = 0; i < count; i++) {
		struct iovec part;

		if (hp_user_read(&part, (const void *)(user + i * (long)sizeof part), sizeof part) || (long)part.iov_len < 0)
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
	struct hp_file *file = blocks_of(fd);
	long length, result;
	int64_t offset;

	if (!file || (length = vector_length(call->arg[1], call->arg[2])) <= 0)
		return HP_PASS;
	offset = at >= 0 ? at : hp_syscall3(__NR_lseek, fd, 0, 1);
	if (offset < 0)
		return HP_PASS;
	result = hold(file, (uint64_t)offset, (uint64_t)length);
	if (result)
		return result;
	result = hp_syscall6(call->nr, fd, call->arg[1], call->arg[2], call->arg[3], call->arg[4], call->arg[5]);
	release(file);
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

long hp_call_preadv2(struct hp_call *call)
{
	return call->arg[3] < -1 ? HP_PASS : read_vector(call, call->arg[3]);
}

/* ---- noting what was written --------------------------------------------------- */

typedef unsigned __int128 pair;

static pair make_pair(uint64_t low, uint64_t high)
{
	return (pair)high << 64 | low;
}

/* Adds [low, high) to one of the file's extents. Each changes in one step, so
 * the process may die anywhere and the starter may take extents meanwhile. */
static void add_extent(struct hp_file *file, uint64_t low, uint64_t high)
{
	for (unsigned round = 0;; round++) {
		unsigned empty = HP_EXTENTS, chosen = HP_EXTENTS;
		uint64_t least = ~0ull;
		pair old, new;

		for (unsigned i = 0; i < HP_EXTENTS; i++) {
			uint64_t l = __atomic_load_n(&file->dirty[i].low, __ATOMIC_RELAXED);
			uint64_t h = __atomic_load_n(&file->dirty[i].high, __ATOMIC_RELAXED);
			uint64_t gap = l == h ? ~0ull : low > h ? low - h : high < l ? l - high : 0;

			if (l == h && empty == HP_EXTENTS)
				empty = i;
			if (l != h && gap < least) {
				least = gap;
				chosen = i;
			}
		}
		if (chosen == HP_EXTENTS || (least > 0 && empty < HP_EXTENTS))
			chosen = empty;
		old = make_pair(file->dirty[chosen].low, file->dirty[chosen].high);
		new = make_pair(low, high);
		if ((uint64_t)old != (uint64_t)(old >> 64)) {
			if ((uint64_t)old < low)
				new = make_pair((uint64_t)old, (uint64_t)(new >> 64));
			if ((uint64_t)(old >> 64) > high)
				new = make_pair((uint64_t)new, (uint64_t)(old >> 64));
		}
		if (__sync_bool_compare_and_swap((pair *)&file->dirty[chosen], old, new))
			return;
	}
}

static void note(struct hp_file *file, uint64_t low, uint64_t high)
{
	if (low >= high)
		return;
	add_extent(file, low, high);
	if (__atomic_load_n(&file->queued, __ATOMIC_SEQ_CST) || __atomic_exchange_n(&file->queued, 1, __ATOMIC_SEQ_CST))
		return;
	__atomic_add_fetch(&hp_channel->dirty_bell, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&hp_channel->flusher_asleep, __ATOMIC_SEQ_CST))
		hp_syscall6(__NR_futex, (long)&hp_channel->dirty_bell, FUTEX_WAKE, 1, 0, 0, 0);
}

static int lost_write(struct hp_file *file)
{
	if (!__atomic_load_n(&file->error, __ATOMIC_RELAXED))
		return 0;
	return __atomic_exchange_n(&file->error, 0, __ATOMIC_SEQ_CST);
}

/* Where a write through fd will begin, as far as blocks matter. */
static int64_t write_offset(int fd)
{
	struct hp_stat stat;

	if (hp_syscall3(__NR_fcntl, fd, F_GETFL, 0) & HP_O_APPEND)
		return hp_syscall2(__NR_fstat, fd, (long)&stat) ? 0 : stat.size;
	return hp_syscall3(__NR_lseek, fd, 0, 1);
}

static long make_room(long bytes)
{
	struct hp_ask ask = { .op = HP_REQ_ROOM, .arg = { bytes } };

	return hp_ask(&ask) == HP_RETRY ? 0 : -ENOSPC;
}

/* Issues the call natively with the blocks it touches present, and notes what
 * it wrote. `at` < 0: at the descriptor's position. `output` is the written
 * descriptor, `length` the most it can write. */
static long write_noted(struct hp_call *call, struct hp_file *file, int output, long length, int64_t at)
{
	bool blocks = __atomic_load_n(&file->flags, __ATOMIC_ACQUIRE) & HP_FILE_BLOCKS;
	int64_t before = at >= 0 ? at : blocks ? write_offset(output) : 0, after;
	int lost = lost_write(file);
	long result;

	if (lost)
		return -lost;
	if (before < 0)
		return HP_PASS;
	for (int round = 0; round < 100; round++) {
		result = hold(file, (uint64_t)before, blocks ? (uint64_t)length : 0);
		if (result)
			return result;
		result = hp_syscall_interruptible(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3],
						  call->arg[4], call->arg[5]);
		if (result > 0 && at >= 0) {
			note(file, (uint64_t)at, (uint64_t)at + (uint64_t)result);
			if (hp_syscall3(__NR_fcntl, output, F_GETFL, 0) & HP_O_APPEND) {
				struct hp_stat stat; /* pwrite appends then, whatever the offset: pwrite(2), BUGS */

				if (hp_syscall2(__NR_fstat, output, (long)&stat) == 0)
					note(file, (uint64_t)(stat.size - result), (uint64_t)stat.size);
			}
		} else if (result > 0) {
			after = hp_syscall3(__NR_lseek, output, 0, 1);
			/* others may have moved the shared position on: cover from where we know */
			note(file, (uint64_t)(after - result), (uint64_t)after);
		}
		release(file);
		if (result != -ENOSPC || make_room(length))
			break;
	}
	return result;
}

long hp_call_write(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);

	return file && call->arg[2] > 0 ? write_noted(call, file, (int)call->arg[0], call->arg[2], -1) : HP_PASS;
}

long hp_call_pwrite64(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);

	if (!file || call->arg[2] <= 0 || call->arg[3] < 0)
		return HP_PASS;
	return write_noted(call, file, (int)call->arg[0], call->arg[2], call->arg[3]);
}

static long write_vector(struct hp_call *call, int64_t at)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);
	long length;

	if (!file || (length = vector_length(call->arg[1], call->arg[2])) <= 0)
		return HP_PASS;
	return write_noted(call, file, (int)call->arg[0], length, at);
}

long hp_call_writev(struct hp_call *call)
{
	return write_vector(call, -1);
}

long hp_call_pwritev(struct hp_call *call)
{
	return call->arg[3] < 0 ? HP_PASS : write_vector(call, call->arg[3]);
}

long hp_call_pwritev2(struct hp_call *call)
{
	return call->arg[3] < -1 ? HP_PASS : write_vector(call, call->arg[3]);
}

/* ---- from one descriptor to another ----------------------------------------------- */

static long transfer(struct hp_call *call, int input, long user_input_at, int output, long user_output_at, long length)
{
	struct hp_file *from = blocks_of(input), *to = hp_fd_file(output);
	int64_t at = -1, output_at = -1;
	long result;

	if ((!from && !to) || length <= 0)
		return HP_PASS;
	if (from) {
		if (user_input_at ? hp_user_read(&at, (const void *)user_input_at, sizeof at) :
				    (at = hp_syscall3(__NR_lseek, input, 0, 1)) < 0)
			return HP_PASS;
		if (length > PIECE)
			length = PIECE;
		call->arg[call->nr == __NR_sendfile ? 3 : 4] = length; /* each of these calls may do less than asked */
		result = hold(from, (uint64_t)at, (uint64_t)length);
		if (result)
			return result;
	}
	if (to && user_output_at && hp_user_read(&output_at, (const void *)user_output_at, sizeof output_at))
		result = -EFAULT;
	else if (to)
		result = write_noted(call, to, output, length, output_at);
	else
		result = hp_syscall_interruptible(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3],
						  call->arg[4], call->arg[5]);
	if (from)
		release(from);
	return result;
}

long hp_call_sendfile(struct hp_call *call)
{
	return transfer(call, (int)call->arg[1], call->arg[2], (int)call->arg[0], 0, call->arg[3]);
}

long hp_call_splice(struct hp_call *call)
{
	return transfer(call, (int)call->arg[0], call->arg[1], (int)call->arg[2], call->arg[3], call->arg[4]);
}

long hp_call_copy_file_range(struct hp_call *call)
{
	return transfer(call, (int)call->arg[0], call->arg[1], (int)call->arg[2], call->arg[3], call->arg[4]);
}

/* ---- sizes, positions, synchronisation ----------------------------------------------- */

long hp_call_lseek(struct hp_call *call)
{
	struct hp_file *file;
	struct hp_stat stat;
	long result;

	if (call->arg[2] != 3 && call->arg[2] != 4)
		return HP_PASS;
	file = blocks_of((int)call->arg[0]);
	if (!file || hp_syscall2(__NR_fstat, call->arg[0], (long)&stat))
		return HP_PASS;
	if (call->arg[1] < 0 || call->arg[1] >= stat.size)
		return -ENXIO;
	/* a hole may be a block that has not come; zeros that came are left as holes */
	result = hold(file, (uint64_t)call->arg[1], (uint64_t)(stat.size - call->arg[1]));
	if (result)
		return result;
	result = hp_syscall3(__NR_lseek, call->arg[0], call->arg[1], call->arg[2]);
	release(file);
	return result;
}

/* Beyond RLIMIT_FSIZE: the kernel's refusal comes with a signal. */
bool hp_too_large(int64_t size)
{
	uint64_t limit[2];

	return hp_syscall4(__NR_prlimit64, 0, 1 /* RLIMIT_FSIZE */, 0, (long)limit) == 0 && (uint64_t)size > limit[0];
}

long hp_call_ftruncate(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);
	struct hp_ask ask = { .op = HP_REQ_TRUNCATE, .arg = { call->arg[1] } };
	long flags;

	if (!file || call->arg[1] < 0 || hp_too_large(call->arg[1]))
		return HP_PASS;
	flags = hp_syscall3(__NR_fcntl, call->arg[0], F_GETFL, 0);
	if (flags < 0 || !(flags & 3) || flags & HP_O_PATH)
		return HP_PASS;
	ask.base = file->inode;
	return (long)hp_ask(&ask);
}

long hp_call_fallocate(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);
	struct hp_ask ask = { .op = HP_REQ_ALLOCATE, .arg = { call->arg[1], call->arg[2], call->arg[3] } };
	long flags;

	if (!file || call->arg[2] < 0 || call->arg[3] <= 0 || hp_too_large(call->arg[2] + call->arg[3]))
		return HP_PASS;
	flags = hp_syscall3(__NR_fcntl, call->arg[0], F_GETFL, 0);
	if (flags < 0 || !(flags & 3))
		return HP_PASS;
	ask.base = file->inode;
	return (long)hp_ask(&ask);
}

static long sync_file(struct hp_file *file)
{
	struct hp_ask ask = { .op = HP_REQ_SYNC, .base = file ? file->inode : 0 };
	int64_t answer = hp_ask(&ask);

	if (file) {
		int lost = lost_write(file);

		if (lost)
			return -lost;
	}
	return answer < 0 ? (long)answer : 0;
}

long hp_call_fsync(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);

	return file ? sync_file(file) : HP_PASS;
}

long hp_call_fdatasync(struct hp_call *call)
{
	return hp_call_fsync(call);
}

long hp_call_sync_file_range(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);

	return file && call->arg[1] >= 0 && call->arg[2] >= 0 && !(call->arg[3] & ~7l) ? sync_file(file) : HP_PASS;
}

long hp_call_sync(struct hp_call *call)
{
	(void)call;
	if (hp_channel)
		sync_file(NULL);
	return 0; /* never fails, sync(2) */
}

long hp_call_syncfs(struct hp_call *call)
{
	long result = hp_syscall1(__NR_syncfs, call->arg[0]);

	return result || !hp_channel ? result : sync_file(NULL);
}
