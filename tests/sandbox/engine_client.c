/* The shim's end of the channel, for tests of the engine: one slot, asked from
 * outside a job. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hpool/shm.h"

static struct hp_channel *channel;

int client_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	channel = mmap(NULL, sizeof *channel, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return channel == MAP_FAILED ? -1 : 0;
}

void client_close(void)
{
	munmap(channel, sizeof *channel);
}

long client_ask(int op, uint64_t base, const char *path1, const char *path2, const int64_t *arg, uint64_t *value)
{
	struct hp_slot *slot = &channel->slots[3];
	long result;

	slot->pid = slot->tid = 1;
	slot->op = (uint16_t)op;
	slot->base = base;
	slot->base2 = 0;
	memcpy(slot->arg, arg, sizeof slot->arg);
	slot->len1 = (uint32_t)strlen(path1);
	slot->len2 = (uint32_t)strlen(path2);
	memcpy(slot->data, path1, slot->len1);
	memcpy(slot->data + slot->len1, path2, slot->len2);
	__atomic_store_n(&slot->state, HP_SLOT_REQUEST, __ATOMIC_SEQ_CST);
	__atomic_or_fetch(&channel->requested[0], 8, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&channel->doorbell, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &channel->doorbell, FUTEX_WAKE, 1, NULL, NULL, 0);
	for (;;) {
		uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST);

		if (state == HP_SLOT_REPLY)
			break;
		syscall(SYS_futex, &slot->state, FUTEX_WAIT, state, NULL, NULL, 0);
	}
	memcpy(value, slot->value, sizeof slot->value);
	result = slot->result;
	__atomic_store_n(&slot->state, HP_SLOT_FREE, __ATOMIC_SEQ_CST);
	return result;
}

void client_wrote(int file, uint64_t low, uint64_t high)
{
	channel->files[file].dirty[0].low = low;
	channel->files[file].dirty[0].high = high;
	__atomic_store_n(&channel->files[file].queued, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&channel->dirty_bell, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &channel->dirty_bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* As core/locks.c: 1 if the file's locks are the job's own affair, which they then stay until client_locked(). */
int client_locks_privately(int file)
{
	struct hp_file *entry = &channel->files[file];

	__atomic_add_fetch(&entry->lockers, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&entry->flags, __ATOMIC_SEQ_CST) & HP_FILE_PRIVATE)
		return 1;
	__atomic_sub_fetch(&entry->lockers, 1, __ATOMIC_SEQ_CST);
	return 0;
}

void client_locked(int file)
{
	struct hp_file *entry = &channel->files[file];

	if (__atomic_sub_fetch(&entry->lockers, 1, __ATOMIC_SEQ_CST) == 0)
		syscall(SYS_futex, &entry->lockers, FUTEX_WAKE, 1, NULL, NULL, 0);
}
