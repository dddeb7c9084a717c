/* Names that are known to be absent: what a search path asks for again and again.
 *
 * ENOENT is final if the directory it was looked for in was LISTED before the native
 * call was made, and still is: `listed_at` tells when that began, in `listings` of the
 * channel. Which directory that is, is remembered as long as no directory and no symlink
 * of the mirror was moved or removed (`moves`).
 *
 * Left to hp_surely_absent, which looks more closely: parents that do not exist, places of
 * the sandbox's own, and paths that lead through those, as symlinks change there unseen.
 */
#include <linux/openat2.h>

#include "core.h"
#include "hpool/arch.h"

struct hp_parent hp_parents[HP_PARENTS];

static uint32_t place; /* grows when the working directory changes */

void hp_place_changed(void)
{
	__atomic_add_fetch(&place, 1, __ATOMIC_SEQ_CST);
}

static bool same(const char *a, const char *b, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static struct hp_parent *slot_of(const char *text, size_t length)
{
	uint32_t hash = (uint32_t)length;

	for (size_t i = 0; i < length; i++)
		hash = hash * 31 + (uint8_t)text[i];
	return &hp_parents[(hash ^ hash >> 11) % HP_PARENTS];
}

static uint64_t recall(const char *text, size_t length, const struct hp_moment *before, uint32_t here)
{
	const struct hp_parent *parent = slot_of(text, length);
	uint32_t sequence = __atomic_load_n(&parent->sequence, __ATOMIC_ACQUIRE);
	uint64_t inode = 0;

	if (!(sequence & 1) && parent->moves == before->moves && parent->length == length &&
	    (text[0] == '/' || parent->place == here) && same(parent->text, text, length))
		inode = parent->inode;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&parent->sequence, __ATOMIC_RELAXED) == sequence ? inode : 0;
}

static void remember(const char *text, size_t length, const struct hp_moment *before, uint32_t here, uint64_t inode)
{
	struct hp_parent *parent = slot_of(text, length);
	uint32_t sequence = __atomic_load_n(&parent->sequence, __ATOMIC_RELAXED);

	if (sequence & 1 || !__atomic_compare_exchange_n(&parent->sequence, &sequence, sequence + 1, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	parent->place = here;
	parent->moves = before->moves;
	parent->inode = inode;
	parent->length = (uint32_t)length;
	memcpy(parent->text, text, length);
	__atomic_store_n(&parent->sequence, sequence + 2, __ATOMIC_RELEASE);
}

/* The directory's inode, if every step to it lies in the mirror. For a moment this takes a
 * descriptor, which no other thread may see. */
static uint64_t find(const char *text, size_t length)
{
	struct open_how how = { .flags = HP_O_PATH | HP_O_DIRECTORY | HP_O_CLOEXEC,
				.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS };
	char name[HP_PARENT_TEXT + 1];
	struct hp_stat stat;
	uint64_t inode = 0;
	long fd;

	if (!hp_alone())
		return 0;
	memcpy(name, text, length);
	name[length] = 0;
	fd = hp_syscall4(__NR_openat2, AT_FDCWD, (long)(length ? name : "."), (long)&how, sizeof how);
	if (fd < 0)
		return 0;
	if (hp_syscall2(__NR_fstat, fd, (long)&stat) == 0 && stat.dev == hp_channel->mirror_dev)
		inode = stat.ino;
	hp_syscall1(__NR_close, fd);
	return inode;
}

static bool listed_since(uint64_t inode, const struct hp_moment *before, bool *has_links)
{
	const struct hp_attr_entry *entry = &hp_attributes[inode % HP_ATTR_COUNT];
	uint32_t sequence = __atomic_load_n(&entry->sequence, __ATOMIC_ACQUIRE);
	bool listed = entry->inode == inode && entry->flags & HP_ATTR_LISTED && entry->listed_at <= before->listings;

	*has_links = entry->flags & HP_ATTR_LINKS;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return listed && !(sequence & 1) && __atomic_load_n(&entry->sequence, __ATOMIC_RELAXED) == sequence;
}

/* Else ENOENT may speak of what the name leads to. */
static bool is_nothing(int dirfd, const char *path)
{
	struct hp_stat stat;

	return hp_syscall4(__NR_newfstatat, dirfd, (long)path, (long)&stat, HP_AT_NOFOLLOW) == -ENOENT;
}

bool hp_known_absent(int dirfd, const char *path, const struct hp_moment *before)
{
	size_t length = 0, cut = 0;
	uint32_t here = __atomic_load_n(&place, __ATOMIC_SEQ_CST);
	uint64_t inode;
	bool has_links;

	for (; path[length]; length++)
		if (path[length] == '/')
			cut = length + 1;
	if (cut >= HP_PARENT_TEXT || cut == length || before->moves & 1 || hp_in_vfork_child() ||
	    (path[0] != '/' && (dirfd != AT_FDCWD || hp_place_shared)) || hp_equal(path + cut, ".") ||
	    hp_equal(path + cut, ".."))
		return false;
	inode = recall(path, cut, before, here);
	if (!inode && (inode = find(path, cut)) != 0)
		remember(path, cut, before, here, inode);
	return inode && listed_since(inode, before, &has_links) && (!has_links || is_nothing(dirfd, path)) &&
	       __atomic_load_n(&hp_channel->moves, __ATOMIC_SEQ_CST) == before->moves;
}
