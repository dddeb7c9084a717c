/* From a process's memory to the image's pages, many places at a time.
 *
 * By process_vm_readv, and where the process itself may not read, through /proc/PID/mem.
 */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PIECE (1u << 18) /* stays in the cache between the two copies */

static uint8_t piece[PIECE];

int hp_copy_open(pid_t pid, const char *name)
{
	char path[48];
	snprintf(path, sizeof path, "%d/%s", (int)pid, name);
	return openat(hp_proc, path, O_RDONLY | O_CLOEXEC);
}

bool hp_copy_unreadable(pid_t pid, uint64_t at)
{
	return hp_refuse("process %d: its memory at %lx cannot be read: %s", (int)pid, (unsigned long)at,
			 strerror(errno));
}

static void keep(struct hp_copy *copy, const uint8_t *content, uint64_t at, uint64_t bytes, uint64_t pages)
{
	hp_write_content(&copy->dump->writer, content, bytes, pages);
	if (copy->track)
		hp_track_copied(copy->track, at, bytes);
}

/* What the process may not read; while it runs also what is no longer there. */
static bool copy_slowly(struct hp_copy *copy, uint64_t at, uint64_t bytes, uint64_t pages)
{
	while (bytes) {
		ssize_t got = pread(copy->memory, piece, bytes < PIECE ? bytes : PIECE, (off_t)at);
		if (got > 0)
			got &= ~(ssize_t)(HP_IMAGE_PAGE - 1);
		if (got > 0)
			keep(copy, piece, at, (uint64_t)got, pages);
		else if (!copy->track)
			return hp_copy_unreadable(copy->pid, at);
		uint64_t done = got > 0 ? (uint64_t)got : HP_IMAGE_PAGE;
		at += done;
		pages += done;
		bytes -= done;
	}
	return true;
}

bool hp_copy_end(struct hp_copy *copy)
{
	struct iovec ours = { piece, copy->bytes };
	ssize_t read = copy->count ? process_vm_readv(copy->pid, &ours, 1, copy->theirs, copy->count, 0) : 0;
	uint64_t got = read > 0 ? (uint64_t)read & ~(uint64_t)(HP_IMAGE_PAGE - 1) : 0, used = 0;
	unsigned n = 0;
	for (; n < copy->count && used < got; n++) {
		uint64_t at = (uint64_t)copy->theirs[n].iov_base, whole = copy->theirs[n].iov_len;
		uint64_t here = got - used < whole ? got - used : whole;
		keep(copy, piece + used, at, here, copy->pages[n]);
		used += here;
		if (here == whole)
			continue;
		copy->theirs[n] = (struct iovec){ (void *)(at + here), whole - here };
		copy->pages[n] += here;
		break;
	}
	for (; n < copy->count; n++)
		if (!copy_slowly(copy, (uint64_t)copy->theirs[n].iov_base, copy->theirs[n].iov_len, copy->pages[n]))
			return false;
	copy->count = 0;
	copy->bytes = 0;
	return true;
}

bool hp_copy_add(struct hp_copy *copy, uint64_t at, uint64_t bytes, uint64_t pages)
{
	while (bytes) {
		uint64_t part = PIECE - copy->bytes < bytes ? PIECE - copy->bytes : bytes;
		copy->theirs[copy->count] = (struct iovec){ (void *)at, part };
		copy->pages[copy->count++] = pages;
		copy->bytes += part;
		at += part;
		pages += part;
		bytes -= part;
		if ((copy->bytes == PIECE || copy->count == HP_COPY_PIECES) && !hp_copy_end(copy))
			return false;
	}
	return true;
}

bool hp_dump_copy(struct hp_dump *dump, pid_t from, uint64_t start, uint64_t bytes, uint64_t pages)
{
	struct hp_copy copy = { .dump = dump, .pid = from, .memory = hp_copy_open(from, "mem") };
	if (copy.memory < 0)
		return hp_copy_unreadable(from, start);
	bool fine = hp_copy_add(&copy, start, bytes, pages) && hp_copy_end(&copy);
	close(copy.memory);
	return fine;
}
