/* What is locked of one file, by ranges; and what the job's processes hold
 * natively of the mirror's inode: that is the truth, whoever was killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/file.h>

#include "internal.h"

int hp_ranges_type(const struct hp_ranges *ranges, uint64_t at, uint64_t *last)
{
	for (unsigned i = 0; i < ranges->count; i++) {
		const struct hp_held *held = &ranges->held[i];

		if (held->first > at) {
			*last = held->first - 1;
			return F_UNLCK;
		}
		if (held->last >= at) {
			*last = held->last;
			return held->type;
		}
	}
	*last = INT64_MAX;
	return F_UNLCK;
}

static int rank(int type)
{
	return type == F_WRLCK ? 2 : type == F_RDLCK ? 1 : 0;
}

bool hp_ranges_cover(const struct hp_ranges *ranges, uint64_t first, uint64_t last, int type)
{
	for (uint64_t at = first, end;; at = end + 1) {
		if (rank(hp_ranges_type(ranges, at, &end)) < rank(type))
			return false;
		if (end >= last)
			return true;
	}
}

static void add(struct hp_ranges *ranges, struct hp_held held)
{
	struct hp_held *before = ranges->count ? &ranges->held[ranges->count - 1] : NULL;

	if (before && before->type == held.type && before->last + 1 == held.first) {
		before->last = held.last;
		return;
	}
	if (ranges->count == ranges->room) {
		ranges->room = ranges->room * 2 + 8;
		ranges->held = realloc(ranges->held, ranges->room * sizeof *ranges->held);
	}
	ranges->held[ranges->count++] = held;
}

void hp_ranges_set(struct hp_ranges *ranges, uint64_t first, uint64_t last, int type)
{
	struct hp_ranges old = *ranges;
	bool placed = type == F_UNLCK;

	*ranges = (struct hp_ranges){ 0 };
	for (unsigned i = 0; i < old.count; i++) {
		struct hp_held held = old.held[i];

		if (held.first < first)
			add(ranges,
			    (struct hp_held){ held.first, held.last < first ? held.last : first - 1, held.type });
		if (held.last >= first && !placed) {
			add(ranges, (struct hp_held){ first, last, type });
			placed = true;
		}
		if (held.last > last)
			add(ranges,
			    (struct hp_held){ held.first > last ? held.first : last + 1, held.last, held.type });
	}
	if (!placed)
		add(ranges, (struct hp_held){ first, last, type });
	free(old.held);
}

void hp_ranges_raise(struct hp_ranges *ranges, uint64_t first, uint64_t last, int type)
{
	for (uint64_t at = first, end;; at = end + 1) {
		int now = hp_ranges_type(ranges, at, &end);

		if (end > last)
			end = last;
		if (rank(now) < rank(type))
			hp_ranges_set(ranges, at, end, type);
		if (end >= last)
			return;
	}
}

/* F_OFD_GETLK names one lock in the way of ours; we have none, so what it names
 * somebody of the job holds. Locks that overlap are all shared: one is enough. */
static bool native_between(int fd, struct hp_ranges *ranges, uint64_t first, uint64_t last, unsigned depth)
{
	struct flock lock = { .l_type = F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_start = (off_t)first,
			      .l_len = last == INT64_MAX ? 0 : (off_t)(last - first + 1) };
	uint64_t low, high;

	if (fcntl(fd, F_OFD_GETLK, &lock) || depth > 4096)
		return false;
	if (lock.l_type == F_UNLCK)
		return true;
	low = (uint64_t)lock.l_start;
	high = lock.l_len == 0 ? INT64_MAX : low + (uint64_t)lock.l_len - 1;
	hp_ranges_raise(ranges, low, high, lock.l_type);
	return (low <= first || native_between(fd, ranges, first, low - 1, depth + 1)) &&
	       (high >= last || native_between(fd, ranges, high + 1, last, depth + 1));
}

bool hp_native_ranges(int fd, struct hp_ranges *ranges)
{
	*ranges = (struct hp_ranges){ 0 };
	return native_between(fd, ranges, 0, INT64_MAX, 0);
}

/* Only trying tells. A process of the job that finds the file locked meanwhile
 * sees that we were at it, and tries again. */
int hp_native_flock(struct hp_channel *channel, int fd)
{
	int type = F_UNLCK;

	__atomic_add_fetch(&channel->lock_probes, 1, __ATOMIC_SEQ_CST);
	if (flock(fd, LOCK_EX | LOCK_NB))
		type = flock(fd, LOCK_SH | LOCK_NB) ? F_WRLCK : F_RDLCK;
	flock(fd, LOCK_UN);
	__atomic_add_fetch(&channel->lock_probes, 1, __ATOMIC_SEQ_CST);
	return type;
}
