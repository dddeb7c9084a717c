/* Writing files that need care: natively, and the bytes noted, so that the
 * starter sends them home. */
#include <linux/fs.h>
#include <linux/futex.h>

#include "core.h"

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif

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

void hp_ring(struct hp_file *file)
{
	if (__atomic_load_n(&file->queued, __ATOMIC_SEQ_CST) || __atomic_exchange_n(&file->queued, 1, __ATOMIC_SEQ_CST))
		return;
	__atomic_add_fetch(&hp_channel->dirty_bell, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&hp_channel->flusher_asleep, __ATOMIC_SEQ_CST))
		hp_syscall6(__NR_futex, (long)&hp_channel->dirty_bell, FUTEX_WAKE, 1, 0, 0, 0);
}

static void note(struct hp_file *file, uint64_t low, uint64_t high)
{
	if (low >= high)
		return;
	add_extent(file, low, high);
	hp_ring(file);
}

int hp_lost_write(struct hp_file *file)
{
	if (!__atomic_load_n(&file->error, __ATOMIC_RELAXED))
		return 0;
	return __atomic_exchange_n(&file->error, 0, __ATOMIC_SEQ_CST);
}

/* Where a write through fd will begin, as far as blocks matter. */
static int64_t write_offset(int fd)
{
	struct hp_stat stat;

	if (hp_fd_appends(fd))
		return hp_syscall2(__NR_fstat, fd, (long)&stat) ? 0 : stat.size;
	return hp_syscall3(__NR_lseek, fd, 0, 1);
}

long hp_ask_room(long bytes)
{
	struct hp_ask ask = { .op = HP_REQ_ROOM, .arg = { bytes } };

	return hp_ask(&ask) == HP_RETRY ? 0 : -ENOSPC;
}

/* pwritev2 has a flag for either. */
static bool appends(const struct hp_call *call, int output)
{
	if (call->nr == __NR_pwritev2 && call->arg[5] & (RWF_APPEND | RWF_NOAPPEND))
		return call->arg[5] & RWF_APPEND;
	return hp_fd_appends(output);
}

/* Each of its writes is followed by what fdatasync does. */
static bool syncs(const struct hp_call *call, int output)
{
	if (call->nr == __NR_pwritev2 && call->arg[5] & (RWF_DSYNC | RWF_SYNC))
		return true;
	return __atomic_load_n(&hp_channel->sync_set, __ATOMIC_RELAXED) &&
	       hp_syscall3(__NR_fcntl, output, F_GETFL, 0) & HP_O_DSYNC;
}

/* How much of a failed call stands in the file nevertheless, at most. */
static long written_anyway(int output, long result, long length, int64_t at, int64_t before)
{
	struct hp_stat stat;
	int64_t end;

	/* the bytes were moved, then a place for the new position of either side turned out not to be writable */
	if (result != -EFAULT)
		return 0;
	if (at < 0)
		return hp_syscall3(__NR_lseek, output, 0, 1) - before;
	if (hp_syscall2(__NR_fstat, output, (long)&stat))
		return 0;
	end = length < stat.size - at ? at + length : stat.size;
	return end > at ? end - at : 0;
}

long hp_write_once(struct hp_call *call, struct hp_file *file, int output, long length, int64_t at)
{
	bool blocks = __atomic_load_n(&file->flags, __ATOMIC_ACQUIRE) & HP_FILE_BLOCKS;
	int64_t before = at >= 0 ? at : write_offset(output), after;
	int lost = hp_lost_write(file);
	long result, anyway;

	if (lost)
		return -lost;
	if (before < 0)
		return HP_PASS;
	result = hp_hold(file, (uint64_t)before, blocks ? (uint64_t)length : 0);
	if (result)
		return result;
	result = call->nr == __NR_splice ? hp_syscall_interruptible(call->nr, call->arg[0], call->arg[1], call->arg[2],
								    call->arg[3], call->arg[4], call->arg[5]) :
					   hp_syscall6(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3],
						       call->arg[4], call->arg[5]);
	if (result > 0 && at >= 0 && !appends(call, output)) {
		note(file, (uint64_t)at, (uint64_t)at + (uint64_t)result);
	} else if (result > 0 && at >= 0) {
		struct hp_stat stat; /* pwrite appends then, whatever the offset: pwrite(2), BUGS */

		if (hp_syscall2(__NR_fstat, output, (long)&stat) == 0)
			note(file, (uint64_t)(stat.size - result), (uint64_t)stat.size);
	} else if (result > 0) {
		after = hp_syscall3(__NR_lseek, output, 0, 1);
		/* others may have moved a shared position on since: what they wrote in between is noted twice */
		note(file, (uint64_t)(before < after - result ? before : after - result), (uint64_t)after);
	} else if ((anyway = written_anyway(output, result, length, at, before)) > 0) {
		note(file, (uint64_t)before, (uint64_t)(before + anyway));
	}
	hp_release(file);
	if (result > 0 && syncs(call, output)) {
		long failed = hp_sync_file(file);

		return failed ? failed : result;
	}
	return result;
}

long hp_write_noted(struct hp_call *call, struct hp_file *file, int output, long length, int64_t at)
{
	long result;

	for (int round = 0; round < HP_ROOM_ROUNDS; round++) {
		result = hp_write_once(call, file, output, length, at);
		if (result != -ENOSPC || hp_ask_room(length))
			break;
	}
	return result;
}

long hp_call_write(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);

	return file && call->arg[2] > 0 ? hp_write_noted(call, file, (int)call->arg[0], call->arg[2], -1) : HP_PASS;
}

long hp_call_pwrite64(struct hp_call *call)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);

	if (!file || call->arg[2] <= 0 || call->arg[3] < 0)
		return HP_PASS;
	return hp_write_noted(call, file, (int)call->arg[0], call->arg[2], call->arg[3]);
}

static long write_vector(struct hp_call *call, int64_t at)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);
	long length;

	if (!file || (length = hp_vector_length(call->arg[1], call->arg[2])) <= 0)
		return HP_PASS;
	return hp_write_noted(call, file, (int)call->arg[0], length, at);
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
	long failed = call->arg[5] & RWF_APPEND && hp_channel ? hp_fd_append((int)call->arg[0]) : 0, result;
	bool changed = hp_drop_advice(call, HP_RWF_DONTCACHE);

	if (failed)
		return failed;
	result = call->arg[3] < -1 ? HP_PASS : write_vector(call, call->arg[3]);
	return result == HP_PASS && changed ? HP_TAIL : result;
}
