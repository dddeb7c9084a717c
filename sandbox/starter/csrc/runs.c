/* Which bytes of a range that the job wrote in travel home.
 *
 * A range may span much that nobody wrote: there are six of them for each file
 * (hp_extent). Blocks that never came hold nothing of the job's, and the zeros in
 * their place must not travel. A hole of the mirror's file stays a hole at home:
 * home makes its own when the job punches one or cuts the file off.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "runs.h"

#define PAGE 4096u /* of the mirror's file system: its holes are made of these */

static uint64_t present_run(const struct hp_object *object, struct hp_range *range)
{
	uint64_t end;

	while (range->low < range->high && hp_file_missing(object, range->low >> HP_BLOCK_SHIFT))
		range->low = ((range->low >> HP_BLOCK_SHIFT) + 1) << HP_BLOCK_SHIFT;
	for (end = range->low; end < range->high && end - range->low < HP_WRITE_CHUNK;) {
		if (hp_file_missing(object, end >> HP_BLOCK_SHIFT))
			break;
		end = ((end >> HP_BLOCK_SHIFT) + 1) << HP_BLOCK_SHIFT;
	}
	if (end > range->high)
		end = range->high;
	return end > range->low ? end - range->low : 0;
}

uint64_t hp_run_next(const struct hp_object *object, struct hp_range *range, enum hp_holes holes)
{
	uint64_t count;

	while ((count = present_run(object, range)) > 0 && holes == HP_HOLES_STAY) {
		off_t data = lseek(object->fd, (off_t)range->low, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data <= (off_t)range->low)
			break;
		range->low = (uint64_t)data < range->high ? (uint64_t)data : range->high;
	}
	return count;
}

/* The kernel is asked only where there are zeros. The first page is none, or was none a moment ago. */
size_t hp_run_until_hole(const struct hp_object *object, const uint8_t *bytes, size_t count, uint64_t low)
{
	static const uint8_t zeros[PAGE];

	for (size_t at = PAGE - low % PAGE; at + PAGE <= count; at += PAGE)
		if (memcmp(bytes + at, zeros, PAGE) == 0 &&
		    lseek(object->fd, (off_t)(low + at), SEEK_DATA) != (off_t)(low + at))
			return at;
	return count;
}
