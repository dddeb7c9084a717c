/* Asking the starter: slots in shared memory, and names in its terms. */
#include <linux/futex.h>

#include "core.h"

/* volatile: the other side writes it, and compilers know nothing of that. */
static struct hp_slot *claim(uint32_t tid, uint64_t ticket)
{
	for (;;) {
		for (uint32_t i = 0; i < HP_SLOTS; i++) {
			struct hp_slot *slot = &hp_channel->slots[(tid * 7u + i) % HP_SLOTS];
			uint32_t expected = HP_SLOT_FREE;

			if (__atomic_load_n(&slot->state, __ATOMIC_RELAXED) == HP_SLOT_FREE &&
			    __atomic_compare_exchange_n(&slot->state, &expected, HP_SLOT_CLAIMED, false,
							__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
				__atomic_store_n(&slot->ticket, ticket, __ATOMIC_SEQ_CST);
				return slot;
			}
		}
		hp_syscall0(__NR_sched_yield);
	}
}

static void ring(uint32_t index)
{
	__atomic_or_fetch(&hp_channel->requested[index / 64], 1ull << (index % 64), __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&hp_channel->doorbell, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&hp_channel->idle_workers, __ATOMIC_SEQ_CST))
		hp_syscall6(__NR_futex, (long)&hp_channel->doorbell, FUTEX_WAKE, 1, 0, 0, 0);
}

/* For whoever watches: what the call under way has asked for. */
static void count(uint32_t trips)
{
	unsigned long *words = hp_thread_words();

	words[HP_WORD_ASKED]++;
	words[HP_WORD_TRIPS] += trips;
	hp_count_calls();
}

static int64_t ask_once(struct hp_ask *ask, uint64_t ticket, bool *lost)
{
	uint32_t tid = (uint32_t)hp_syscall0(__NR_gettid), state;
	struct hp_slot *slot = claim(tid, ticket);
	int64_t result;

	slot->pid = (int32_t)hp_syscall0(__NR_getpid);
	slot->tid = (int32_t)tid;
	slot->op = ask->op;
	slot->flags = ask->flags;
	slot->base = ask->base;
	slot->base2 = ask->base2;
	for (int i = 0; i < 8; i++)
		slot->arg[i] = ask->arg[i];
	slot->len1 = ask->len1;
	slot->len2 = ask->len2;
	memcpy(slot->data, ask->data1, ask->len1);
	memcpy(slot->data + ask->len1, ask->data2, ask->len2);
	__atomic_store_n(&slot->state, HP_SLOT_REQUEST, __ATOMIC_SEQ_CST);
	ring((uint32_t)(slot - hp_channel->slots));
	for (;;) {
		state = __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&slot->ticket, __ATOMIC_SEQ_CST) != ticket || state < HP_SLOT_REQUEST) {
			*lost = true; /* we were stopped for so long that the slot was taken back */
			return 0;
		}
		if (state == HP_SLOT_REPLY)
			break;
		hp_syscall6(__NR_futex, (long)&slot->state, FUTEX_WAIT, state, 0, 0, 0);
	}
	result = slot->result;
	count(slot->trips);
	for (int i = 0; i < 4; i++)
		ask->value[i] = slot->value[i];
	ask->reply_len = slot->reply_len < ask->room ? slot->reply_len : ask->room;
	if (ask->reply_len <= HP_SLOT_DATA)
		memcpy(ask->reply, slot->data, ask->reply_len);
	__atomic_store_n(&slot->state, HP_SLOT_FREE, __ATOMIC_SEQ_CST);
	return result;
}

int64_t hp_ask(struct hp_ask *ask)
{
	static uint32_t counter;
	int64_t result;
	bool lost;

	if (!hp_channel)
		return HP_LOCAL;
	if (ask->len1 > HP_SLOT_DATA || ask->len2 > HP_SLOT_DATA - ask->len1)
		return -ENAMETOOLONG;
	do {
		uint64_t ticket =
			(uint64_t)hp_syscall0(__NR_gettid) << 32 | __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);

		lost = false;
		result = ask_once(ask, ticket, &lost);
	} while (lost);
	return result;
}

/* ---- names ----------------------------------------------------------------- */

static long path_of_fd(int fd, char *room, long size)
{
	char name[HP_FD_LINK_MAX];

	if (fd == AT_FDCWD) {
		long got = hp_syscall2(__NR_getcwd, (long)room, size);

		return got > 0 ? got - 1 : got;
	}
	return hp_syscall3(__NR_readlink, (long)hp_fd_link(name, fd), (long)room, size);
}

static void point(struct hp_where *where, uint64_t base, const char *path)
{
	where->base = base;
	where->path = path;
	where->length = (uint32_t)hp_strlen(path);
}

/* Through /proc and /dev/fd only the kernel finds the way: let it find the
 * object, or the directory in which the last name is missing, or is meant. */
static bool locate_magic(int dirfd, const char *path, bool names, struct hp_where *where)
{
	size_t length = hp_strlen(path);
	struct hp_stat stat;
	unsigned cut;

	if (!names && hp_syscall4(__NR_newfstatat, dirfd, (long)path, (long)&stat, 0) == 0) {
		if (stat.dev != hp_channel->mirror_dev)
			return false;
		point(where, stat.ino, "");
		return true;
	}
	if (length >= HP_PATH_MAX)
		return false;
	memcpy(where->text, path, length + 1);
	for (cut = (unsigned)length; names && cut > 0 && where->text[cut - 1] == '/'; cut--)
		;
	while (cut > 0 && where->text[cut - 1] != '/')
		cut--;
	if (cut == 0)
		return false;
	where->text[cut - 1] = 0;
	if (hp_syscall4(__NR_newfstatat, dirfd, (long)where->text, (long)&stat, 0) ||
	    stat.dev != hp_channel->mirror_dev)
		return false;
	point(where, stat.ino, where->text + cut);
	return true;
}

static void locate(int dirfd, const char *path, bool names, struct hp_where *where)
{
	struct hp_attr_entry entry;
	struct hp_stat stat;
	long length;

	where->foreign = false;
	if (path[0] == '/') {
		if ((hp_starts(path, "/proc/") || hp_starts(path, "/dev/")) && !locate_magic(dirfd, path, names, where))
			where->foreign = true;
		else if (!hp_starts(path, "/proc/") && !hp_starts(path, "/dev/"))
			point(where, 0, path);
		return;
	}
	if (hp_syscall4(__NR_newfstatat, dirfd, (long)(dirfd == AT_FDCWD ? "." : ""), (long)&stat,
			dirfd == AT_FDCWD ? 0 : HP_AT_EMPTY_PATH)) {
		where->foreign = true;
		return;
	}
	if (stat.dev == hp_channel->mirror_dev && hp_home_attr(stat.ino, &entry)) {
		point(where, stat.ino, path);
		return;
	}
	/* a place of the sandbox's own: only its whole path leads anywhere else */
	length = path_of_fd(dirfd, where->text, HP_PATH_MAX);
	if (length <= 0 || where->text[0] != '/') {
		where->foreign = true;
		return;
	}
	where->text[length] = '/';
	memcpy(where->text + length + 1, path, hp_strlen(path) + 1);
	if (hp_starts(where->text, "/proc/") || hp_starts(where->text, "/dev/"))
		where->foreign = true;
	point(where, 0, where->text);
}

void hp_locate(int dirfd, const char *path, struct hp_where *where)
{
	locate(dirfd, path, false, where);
}

void hp_locate_name(int dirfd, const char *path, struct hp_where *where)
{
	locate(dirfd, path, true, where);
}

/* Cuts the last component off `path[0..length)`: where it begins; 0: the whole
 * is one component. */
static size_t last_component(const char *path, size_t length)
{
	while (length > 0 && path[length - 1] != '/')
		length--;
	return length;
}

/* Is `name`, whose directory exists and is `parent`, missing for good? */
static bool absent_in(int dirfd, const char *name, const struct hp_stat *parent)
{
	struct hp_attr_entry entry, again;
	struct hp_stat stat;

	if (parent->dev == hp_channel->mirror_dev) {
		hp_home_attr(parent->ino, &entry);
		if (entry.inode != parent->ino || !(entry.flags & (HP_ATTR_LISTED | HP_ATTR_LOCAL)))
			return false;
	}
	if (hp_syscall4(__NR_newfstatat, dirfd, (long)name, (long)&stat, HP_AT_NOFOLLOW) != -ENOENT)
		return false;
	if (parent->dev != hp_channel->mirror_dev)
		return true;
	/* listed before and after we looked once more, and nothing changed between: it does not exist */
	hp_home_attr(parent->ino, &again);
	return again.inode == parent->ino && again.sequence == entry.sequence;
}

/* Goes up to the first directory that exists: what is missing there decides. */
bool hp_surely_absent(int dirfd, const char *path)
{
	char name[HP_PATH_MAX + 1];
	size_t length = hp_strlen(path);

	if (length == 0 || length > HP_PATH_MAX || path[length - 1] == '/')
		return false;
	memcpy(name, path, length + 1);
	for (;;) {
		size_t cut = last_component(name, length);
		struct hp_stat stat;
		char first = name[cut];
		long result;

		if (hp_equal(name + cut, ".") || hp_equal(name + cut, ".."))
			return false;
		name[cut] = 0; /* the parent's name for a moment */
		result = hp_syscall4(__NR_newfstatat, dirfd, (long)(cut ? name : "."), (long)&stat, 0);
		name[cut] = first;
		if (result == 0)
			return absent_in(dirfd, name, &stat);
		length = cut;
		while (length > 0 && name[length - 1] == '/')
			length--;
		if (result != -ENOENT || length == 0)
			return false;
		name[length] = 0;
	}
}

bool hp_fault(int dirfd, const char *path, long error, enum hp_want want, bool nofollow, long *result)
{
	struct hp_where where;
	struct hp_ask ask = { .op = HP_REQ_NAME, .arg = { want, nofollow } };
	int64_t answer;

	*result = error;
	if (!hp_channel || (error != -ENOENT && error != -EACCES) || !*path)
		return false;
	if (error == -ENOENT && hp_surely_absent(dirfd, path))
		return false;
	hp_locate(dirfd, path, &where);
	if (where.foreign)
		return false;
	ask.base = where.base;
	ask.data1 = where.path;
	ask.len1 = where.length;
	answer = hp_ask(&ask);
	if (answer < 0)
		*result = (long)answer;
	return answer == HP_RETRY || answer == HP_LOCAL;
}
