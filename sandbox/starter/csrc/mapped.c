/* Files that the job has mapped shared and writable: nobody says which of their
 * pages it wrote. A sum of each block, as home last had it, tells.
 *
 * What has not changed is not sent: it would cost, set the file's time, and
 * undo what others wrote at home since.
 */
#define _GNU_SOURCE
#include <sys/statvfs.h>
#include <unistd.h>

#include "mapped.h"

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
static void begin(struct hp_object *object, uint64_t low, uint64_t high)
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

/* Where they were written they are not read: the job may have written since. */
void hp_mapped_fetched(struct hp_object *object, uint64_t offset, const uint8_t *bytes, uint64_t length)
{
	if (!object->nsums)
		return;
	room_for(object, hp_blocks_of(offset + length));
	for (uint64_t at = 0; at < length; at += HP_BLOCK)
		object->sums[(offset + at) >> HP_BLOCK_SHIFT] =
			sum_of(bytes + at, length - at < HP_BLOCK ? length - at : HP_BLOCK);
}

static bool has_changed(const struct hp_object *object, uint64_t block, const uint8_t *bytes, size_t count)
{
	return block >= object->nsums || object->sums[block] != sum_of(bytes, count);
}

bool hp_mapped_changed(struct hp_object *object, struct hp_range *range, struct hp_range *changed, uint8_t *buffer)
{
	while (range->low < range->high) {
		uint64_t block = range->low >> HP_BLOCK_SHIFT;
		ssize_t got = read_block(object, block, buffer);

		if (got <= 0)
			break;
		changed->low = block << HP_BLOCK_SHIFT;
		changed->high = changed->low + (uint64_t)got;
		range->low = (block + 1) << HP_BLOCK_SHIFT;
		if (!has_changed(object, block, buffer, (size_t)got))
			continue;
		if (block < object->nsums)
			object->sums[block] = sum_of(buffer, (size_t)got);
		return true;
	}
	return false;
}

/* Who writes through a mapping into a hole cannot wait for room: where there is none he dies. As far as there
 * can be, there is before he begins. */
static void make_room(hp_engine *engine, const struct hp_object *object, uint64_t low, uint64_t high)
{
	struct statvfs mirror;
	struct stat status;
	uint64_t wanted, room;

	if (object->fd < 0 || fstat(object->fd, &status))
		return;
	if (high > (uint64_t)status.st_size)
		high = (uint64_t)status.st_size;
	wanted = low < high ? high - low : 0;
	while (wanted > 0 && fstatvfs(engine->root_fd, &mirror) == 0) {
		room = (uint64_t)mirror.f_bavail * mirror.f_frsize;
		if (room >= wanted || hp_make_room(engine, wanted - room))
			return;
	}
}

int hp_mapped_add(hp_engine *engine, struct hp_object *object, uint64_t low, uint64_t high, bool shared)
{
	bool whole = object->attr.size < engine->config.mirror_bytes / 4; /* the mapping may grow */
	int error = whole ? hp_file_fill(engine, object, 0, object->blocks << HP_BLOCK_SHIFT, false) :
			    hp_file_fill(engine, object, low, high - low, false);

	if (error)
		return error;
	object->mapped++;
	if (!shared)
		return 0;
	make_room(engine, object, low, high);
	for (unsigned i = 0; i < object->nshared; i++)
		if (object->shared[i].low <= low && object->shared[i].high >= high)
			return 0;
	object->shared = realloc(object->shared, (object->nshared + 1) * sizeof *object->shared);
	object->shared[object->nshared++] = (struct hp_range){ low, high };
	begin(object, low, high);
	return 0;
}

static bool has_news(const struct hp_object *object, const struct hp_range *range, uint8_t *buffer)
{
	for (uint64_t block = range->low >> HP_BLOCK_SHIFT; block << HP_BLOCK_SHIFT < range->high; block++) {
		ssize_t got = read_block(object, block, buffer);

		if (got <= 0)
			break;
		if (has_changed(object, block, buffer, (size_t)got))
			return true;
	}
	return false;
}

bool hp_mapped_over(struct hp_object *object)
{
	uint8_t *buffer;
	bool news = false;

	if (!object->mapped)
		return true;
	if (object->executed || object->fd < 0 || hp_file_in_use(object->fd))
		return false;
	buffer = malloc(HP_BLOCK);
	for (unsigned i = 0; i < object->nshared && !news; i++)
		news = has_news(object, &object->shared[i], buffer);
	free(buffer);
	if (news)
		return false;
	free(object->shared);
	free(object->sums);
	object->shared = NULL;
	object->sums = NULL;
	object->nshared = object->mapped = 0;
	object->nsums = 0;
	return true;
}

bool hp_mirror_touch(int fd, struct stat *status)
{
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };

	return futimens(fd, times) == 0 && fstat(fd, status) == 0;
}
