/* Writes the two files of a raw image.
 *
 * Owns: records' framing, where content lies in `pages`, the sum. Leaves to others: what a
 * record says. Errors are kept and told once, at the end: a dump is written aside.
 */
#include "checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER (1u << 16)

static void put(struct hp_writer *to, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	while (length) {
		size_t part = BUFFER - to->used < length ? BUFFER - to->used : length;
		memcpy(to->buffer + to->used, at, part);
		to->used += part;
		at += part;
		length -= part;
		if (to->used == BUFFER)
			hp_write_flush(to);
	}
}

void hp_write_flush(struct hp_writer *to)
{
	to->sum = hp_image_sum(to->sum, to->buffer, to->used);
	for (size_t done = 0; done < to->used && !to->failed;) {
		ssize_t part = write(to->meta, to->buffer + done, to->used - done);
		if (part < 0 && errno != EINTR)
			to->failed = errno;
		done += part > 0 ? (size_t)part : 0;
	}
	to->used = 0;
}

int hp_write_open(struct hp_writer *to, int meta, int pages)
{
	*to = (struct hp_writer){ .meta = meta, .pages = pages, .buffer = malloc(BUFFER) };
	return to->buffer ? 0 : -ENOMEM;
}

void hp_write_record(struct hp_writer *to, uint32_t kind, void *record, size_t fixed, const struct hp_part *parts,
		     unsigned count)
{
	static const uint8_t zeros[8];
	struct hp_record *head = record;
	size_t whole = fixed;
	for (unsigned n = 0; n < count; n++)
		whole += parts[n].length;
	head->kind = kind;
	head->bytes = (uint32_t)((whole + 7) & ~7ull);
	put(to, record, fixed);
	for (unsigned n = 0; n < count; n++)
		put(to, parts[n].bytes, parts[n].length);
	put(to, zeros, head->bytes - whole);
	to->records++;
}

uint64_t hp_write_region(struct hp_writer *to, uint64_t start, uint64_t bytes)
{
	const uint64_t within = start % HP_IMAGE_ALIGN;
	uint64_t at = to->pages_end + within;
	to->pages_end += (within + bytes + HP_IMAGE_ALIGN - 1) & ~(uint64_t)(HP_IMAGE_ALIGN - 1);
	return at;
}

void hp_write_content(struct hp_writer *to, const void *bytes, size_t length, uint64_t at)
{
	for (size_t done = 0; done < length && !to->failed;) {
		ssize_t part = pwrite(to->pages, (const uint8_t *)bytes + done, length - done, (off_t)(at + done));
		if (part < 0 && errno != EINTR)
			to->failed = errno;
		done += part > 0 ? (size_t)part : 0;
	}
}

int hp_write_close(struct hp_writer *to)
{
	struct hp_image_end end = { .head = { HP_R_END, sizeof end }, .records = to->records + 1 };
	hp_write_flush(to);
	end.sum = to->sum;
	put(to, &end, sizeof end);
	hp_write_flush(to);
	if (!to->failed && ftruncate(to->pages, (off_t)to->pages_end))
		to->failed = errno;
	free(to->buffer);
	return -to->failed;
}
