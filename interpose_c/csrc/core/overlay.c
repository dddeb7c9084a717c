/* What home says of an inode of the mirror, and what a program is shown of it. */
#include "core.h"

/* Moves, unrolled, are quicker than a loop and than what starts "rep movsb". */
static inline __attribute__((always_inline)) void copy_entry(struct hp_attr_entry *to, const struct hp_attr_entry *from)
{
	const volatile uint64_t *source = (const volatile uint64_t *)from;
	uint64_t *target = (uint64_t *)to;

	_Static_assert(sizeof *to % 8 == 0, "words");
#pragma GCC unroll 24
	for (unsigned i = 0; i < offsetof(struct hp_attr_entry, pad) / 8; i++)
		target[i] = source[i];
}

static inline __attribute__((always_inline)) void read_entry(struct hp_attr_entry *to, const struct hp_attr_entry *from)
{
	uint32_t before;

	do {
		before = __atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE);
		copy_entry(to, from);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__builtin_expect(before & 1, 0))
			hp_syscall0(__NR_sched_yield); /* content is coming in */
	} while (before & 1 || __atomic_load_n(&from->sequence, __ATOMIC_RELAXED) != before);
}

bool hp_home_attr(uint64_t inode, struct hp_attr_entry *entry)
{
	const struct hp_attr_entry *shared = &hp_attributes[inode % HP_ATTR_COUNT];
	bool making = false;

	read_entry(entry, shared);
	if (entry->inode == 0) { /* the sandbox's own, or just being made */
		making = __atomic_load_n(&hp_channel->making, __ATOMIC_SEQ_CST);
		read_entry(entry, shared);
	}
	if (entry->inode != inode) {
		/* another inode with the same place in the table: ask */
		struct hp_ask ask = { .op = HP_REQ_ATTR, .base = inode, .reply = entry, .room = sizeof *entry };

		if (entry->inode == 0 && !making)
			return false;
		if (hp_ask(&ask) != 0 || ask.reply_len != sizeof *entry || entry->inode != inode)
			return false;
	}
	if (entry->flags & HP_ATTR_UNKNOWN) {
		struct hp_ask ask = { .op = HP_REQ_NAME, .base = inode, .arg = { HP_WANT_STAT } };

		if (hp_ask(&ask) == HP_RETRY)
			copy_entry(entry, shared);
	}
	return !(entry->flags & (HP_ATTR_LOCAL | HP_ATTR_HIDDEN));
}

bool hp_is_home(uint64_t dev, uint64_t inode)
{
	struct hp_attr_entry entry;

	return hp_channel && dev == hp_channel->mirror_dev && hp_home_attr(inode, &entry);
}

static bool is_regular(uint32_t mode)
{
	return (mode & 0170000) == 0100000;
}

static int64_t in_ns(int64_t seconds, uint32_t ns)
{
	return seconds * 1000000000 + ns;
}

/* The mirror follows reads as any file system mounted relatime does; what it
 * follows too early, because its own atime was an older one, does not show. */
static void read_since(struct hp_stat *stat, const struct hp_attr_entry *entry)
{
	const struct hpw_attr *attr = &entry->attr;
	int64_t offset = hp_channel->clock_offset_ns;
	int64_t local = in_ns((int64_t)stat->atime_s, (uint32_t)stat->atime_ns) + offset;
	int64_t home = in_ns(attr->atime_s, attr->atime_ns);
	bool due = home <= in_ns(attr->mtime_s, attr->mtime_ns) || home <= in_ns(attr->ctime_s, attr->ctime_ns) ||
		   local - home >= 86400ll * 1000000000;

	if (is_regular(attr->mode) && !(entry->flags & HP_ATTR_PLACEHOLDER) && due && local > home + offset) {
		stat->atime_s = (uint64_t)(local / 1000000000);
		stat->atime_ns = (uint64_t)(local % 1000000000);
		return;
	}
	stat->atime_s = (uint64_t)attr->atime_s;
	stat->atime_ns = attr->atime_ns;
}

bool hp_overlay(struct hp_stat *stat, uint32_t *seen)
{
	struct hp_attr_entry entry;
	const struct hpw_attr *attr = &entry.attr;
	bool differs;

	if (!hp_channel || stat->dev != hp_channel->mirror_dev || !hp_home_attr(stat->ino, &entry))
		return true;
	differs = is_regular(attr->mode) &&
		  (stat->mtime_s != (uint64_t)entry.local_mtime_s || stat->mtime_ns != entry.local_mtime_ns);
	if (differs && seen && *seen != entry.sequence) {
		*seen = entry.sequence;
		return false;
	}
	if (entry.flags & HP_ATTR_AWAITED) {
		struct hp_ask ask = {
			.op = HP_REQ_ATTR, .base = stat->ino, .arg = { 1 }, .reply = &entry, .room = sizeof entry
		};

		hp_ask(&ask);
	}
	stat->dev = attr->dev;
	stat->ino = attr->ino;
	stat->nlink = attr->nlink;
	stat->mode = attr->mode;
	stat->uid = attr->uid;
	stat->gid = attr->gid;
	stat->rdev = attr->rdev;
	stat->blksize = attr->blksize;
	read_since(stat, &entry);
	if (differs) {
		int64_t offset = hp_channel->clock_offset_ns; /* the job wrote: its times in home's clock */
		int64_t mtime = in_ns((int64_t)stat->mtime_s, (uint32_t)stat->mtime_ns) + offset;
		int64_t ctime = in_ns(attr->ctime_s, attr->ctime_ns); /* of a change of attributes after that */

		if (ctime < mtime)
			ctime = mtime;
		stat->mtime_s = (uint64_t)(mtime / 1000000000);
		stat->mtime_ns = (uint64_t)(mtime % 1000000000);
		stat->ctime_s = (uint64_t)(ctime / 1000000000);
		stat->ctime_ns = (uint64_t)(ctime % 1000000000);
		if (stat->mode & 06000 && hp_syscall0(__NR_geteuid) != 0) /* a write takes them, home too */
			stat->mode &= ~(04000u | (stat->mode & 010 ? 02000u : 0));
		return true;
	}
	if (!is_regular(attr->mode) || entry.flags & HP_ATTR_PLACEHOLDER)
		stat->size = (int64_t)attr->size;
	stat->blocks = (int64_t)attr->blocks;
	stat->mtime_s = (uint64_t)attr->mtime_s;
	stat->mtime_ns = attr->mtime_ns;
	stat->ctime_s = (uint64_t)attr->ctime_s;
	stat->ctime_ns = attr->ctime_ns;
	return true;
}
