/* Files that the job has mapped shared and writable: nobody says which of their
 * pages it wrote. A sum of each block, as home last had it, tells.
 *
 * What has not changed is not sent: it would cost, set the file's time, and
 * undo what others wrote at home since.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "internal.h"

static uint64_t sum_of(const uint8_t *bytes, size_t length)
{
	uint64_t sum = length * 0x9e3779b97f4a7c15u + 1, word;
	size_t at = 0;

	for (; at + 8 <= length; at += 8) {
		memcpy(&word, bytes + at, 8);
		sum = (sum ^ word) * 0xff51afd7ed558ccdu;
		sum ^= sum >> 29;
	}
	for (; at < length; at++)
		sum = (sum ^ bytes[at]) * 0xff51afd7ed558ccdu;
	return sum | 1; /* 0: not known */
}

static ssize_t read_block(const struct hp_object *object, uint64_t block, uint8_t *buffer)
{
	return pread(object->fd, buffer, HP_BLOCK, (off_t)(block << HP_BLOCK_SHIFT));
}

static void room_for(struct hp_object *object, uint64_t end)
{
	if (end <= object->nsums)
		return;
	object->sums = realloc(object->sums, end * sizeof *object->sums);
	memset(object->sums + object->nsums, 0, (end - object->nsums) * sizeof *object->sums);
	object->nsums = end;
}

/* From now on the job may write what lies there without a call. */
void hp_mapped_begin(struct hp_object *object, uint64_t low, uint64_t high)
{
	uint64_t first = low >> HP_BLOCK_SHIFT, end = hp_blocks_of(high);
	uint8_t *buffer;
	struct stat status;

	if (object->fd < 0 || fstat(object->fd, &status))
		return;
	if (end > hp_blocks_of((uint64_t)status.st_size))
		end = hp_blocks_of((uint64_t)status.st_size);
	room_for(object, end);
	buffer = malloc(HP_BLOCK);
	for (uint64_t block = first; block < end; block++) {
		ssize_t got = object->sums[block] ? -1 : read_block(object, block, buffer);

		if (got > 0)
			object->sums[block] = sum_of(buffer, (size_t)got);
	}
	free(buffer);
}

/* Home's bytes from the beginning of a block on, which were written over the mirror's. They are not read from
 * there: the job may have written since. */
void hp_mapped_fetched(struct hp_object *object, uint64_t offset, const uint8_t *bytes, uint64_t length)
{
	if (!object->nsums)
		return;
	room_for(object, hp_blocks_of(offset + length));
	for (uint64_t at = 0; at < length; at += HP_BLOCK)
		object->sums[(offset + at) >> HP_BLOCK_SHIFT] =
			sum_of(bytes + at, length - at < HP_BLOCK ? length - at : HP_BLOCK);
}

/* The next run of changed bytes in the range, which shrinks: false when there is none. */
bool hp_mapped_changed(struct hp_object *object, struct hp_range *range, struct hp_range *changed, uint8_t *buffer)
{
	while (range->low < range->high) {
		uint64_t block = range->low >> HP_BLOCK_SHIFT;
		ssize_t got = read_block(object, block, buffer);
		uint64_t sum;

		if (got <= 0)
			break;
		changed->low = block << HP_BLOCK_SHIFT;
		changed->high = changed->low + (uint64_t)got;
		range->low = (block + 1) << HP_BLOCK_SHIFT;
		sum = sum_of(buffer, (size_t)got);
		if (block < object->nsums && object->sums[block] == sum)
			continue;
		if (block < object->nsums)
			object->sums[block] = sum;
		return true;
	}
	return false;
}
