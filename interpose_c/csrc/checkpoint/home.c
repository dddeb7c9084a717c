/* One question at a time, from a process that no signal reaches. */
#include "home.h"
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define LOOK_AGAIN_S 1

static struct hp_channel *channel;
static const struct hp_attr_entry *attributes;

static void *map_file(const char *path, int flags, int protection, size_t bytes)
{
	int fd = open(path, flags | O_CLOEXEC);
	void *found = fd < 0 ? MAP_FAILED : mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return found == MAP_FAILED ? NULL : found;
}

bool hp_home_is_there(void)
{
	if (channel)
		return true;
	struct hp_channel *found = map_file(HP_CHANNEL_PATH, O_RDWR, PROT_READ | PROT_WRITE, sizeof *found);
	if (!found)
		return false;
	attributes = map_file(HP_ATTRS_PATH, O_RDONLY, PROT_READ, HP_ATTR_COUNT * sizeof *attributes);
	if (attributes && found->magic == HP_SHM_MAGIC && found->version == HP_SHM_VERSION)
		channel = found;
	return channel != NULL;
}

static struct hp_slot *claim(uint64_t ticket)
{
	for (uint32_t n = 0;; n = (n + 1) % HP_SLOTS) {
		uint32_t free = HP_SLOT_FREE;
		if (__atomic_compare_exchange_n(&channel->slots[n].state, &free, HP_SLOT_CLAIMED, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			__atomic_store_n(&channel->slots[n].ticket, ticket, __ATOMIC_SEQ_CST);
			return &channel->slots[n];
		}
		if (n == HP_SLOTS - 1)
			sched_yield();
	}
}

static void ring(uint32_t index)
{
	__atomic_or_fetch(&channel->requested[index / 64], 1ull << (index % 64), __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&channel->doorbell, 1, __ATOMIC_SEQ_CST);
	(void)syscall(SYS_futex, &channel->doorbell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

int64_t hp_home_ask(struct hp_question *question)
{
	static uint32_t counter;
	const struct timespec again = { LOOK_AGAIN_S, 0 };
	size_t length = question->path ? strlen(question->path) : 0;
	if (!hp_home_is_there())
		return HP_LOCAL;
	if (length > HP_SLOT_DATA)
		return -ENAMETOOLONG;
	struct hp_slot *slot = claim((uint64_t)getpid() << 32 | ++counter);
	slot->pid = slot->tid = getpid();
	slot->op = question->op;
	slot->flags = 0;
	slot->base = question->base;
	slot->base2 = 0;
	memcpy(slot->arg, question->arg, sizeof slot->arg);
	slot->len1 = (uint32_t)length;
	slot->len2 = 0;
	if (length)
		memcpy(slot->data, question->path, length);
	__atomic_store_n(&slot->state, HP_SLOT_REQUEST, __ATOMIC_SEQ_CST);
	ring((uint32_t)(slot - channel->slots));
	for (uint32_t state; (state = __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST)) != HP_SLOT_REPLY;)
		(void)syscall(SYS_futex, &slot->state, FUTEX_WAIT, state, &again, NULL, 0);
	int64_t result = slot->result;
	memcpy(question->value, slot->value, sizeof question->value);
	size_t told = __atomic_load_n(&slot->reply_len, __ATOMIC_RELAXED);
	if (question->reply && told < question->room && told <= sizeof slot->data)
		memcpy(question->reply, slot->data, told);
	__atomic_store_n(&slot->state, HP_SLOT_FREE, __ATOMIC_SEQ_CST);
	return result;
}

bool hp_home_path(uint64_t inode, char *path, size_t room)
{
	memset(path, 0, room);
	struct hp_question question = { .op = HP_REQ_PATH, .base = inode, .reply = path, .room = room };
	return hp_home_ask(&question) == 0 && *path == '/';
}

bool hp_home_mirrors(uint64_t device)
{
	return hp_home_is_there() && device == channel->mirror_dev;
}

bool hp_home_object(uint64_t device, uint64_t inode, struct hp_attr_entry *entry)
{
	if (!hp_home_mirrors(device))
		return false;
	const struct hp_attr_entry *shared = &attributes[inode % HP_ATTR_COUNT];
	uint32_t before;
	do {
		before = __atomic_load_n(&shared->sequence, __ATOMIC_ACQUIRE);
		memcpy(entry, shared, sizeof *entry);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (before & 1 || __atomic_load_n(&shared->sequence, __ATOMIC_RELAXED) != before);
	return entry->inode == inode && !(entry->flags & (HP_ATTR_LOCAL | HP_ATTR_HIDDEN));
}

void hp_home_publish(int32_t pid, const char *exe)
{
	if (!hp_home_is_there() || !*exe)
		return;
	struct hp_proc *proc = &channel->procs[(uint32_t)pid % HP_PROCS];
	size_t length = strnlen(exe, HP_EXE_MAX);
	__atomic_store_n(&proc->pid, 0, __ATOMIC_SEQ_CST);
	memset(proc->exe, 0, sizeof proc->exe);
	memcpy(proc->exe, exe, length);
	proc->length = (uint32_t)length;
	__atomic_store_n(&proc->pid, pid, __ATOMIC_SEQ_CST);
}

void hp_home_syncs(void)
{
	if (hp_home_is_there())
		__atomic_store_n(&channel->sync_set, 1, __ATOMIC_RELAXED);
}

void hp_home_watches(void)
{
	if (hp_home_is_there())
		__atomic_store_n(&channel->watched, 1, __ATOMIC_SEQ_CST);
}

bool hp_home_is_watched(void)
{
	return !hp_home_is_there() || __atomic_load_n(&channel->watched, __ATOMIC_SEQ_CST);
}
