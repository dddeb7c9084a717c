/* Files known by blocks: fetching those that are not present (maps.c). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "readahead.h"

bool hp_file_missing(const struct hp_object *object, uint64_t block)
{
	return object->content == HP_CONTENT_BLOCKS && block < object->blocks && !hp_bit(object->present, block);
}

/* From a placeholder, or (whole) from a file the mirror has all of. */
int hp_start_blocks(hp_engine *engine, struct hp_object *object, uint64_t size, bool whole)
{
	uint64_t blocks = hp_blocks_of(size);

	object->blocks = blocks;
	object->stream_at = object->stream_done = object->stream_window = 0;
	object->streaming = false;
	object->present = calloc(1, blocks / 8 + 16);
	object->asked = calloc(1, blocks / 8 + 16);
	if (!object->present || !object->asked)
		return -ENOMEM;
	if (whole)
		memset(object->present, 0xff, blocks / 8 + 16);
	object->content = HP_CONTENT_BLOCKS;
	hp_file_publish_map(engine, object);
	return 0;
}

int hp_file_as_blocks(hp_engine *engine, struct hp_object *object)
{
	int error = hp_file_open_home(engine, object, O_RDONLY);

	if (!error && object->content == HP_CONTENT_NONE)
		error = hp_file_number(engine, object);
	if (!error && object->content == HP_CONTENT_NONE) {
		hp_mirror_unsteady(engine, object);
		error = ftruncate(object->fd, (off_t)object->attr.size) ?
				-errno :
				hp_start_blocks(engine, object, object->attr.size, false);
		hp_mirror_set_times(object, object->fd, true);
		hp_mirror_permit(engine, object);
		hp_mirror_publish(engine, object);
		if (!error)
			hp_kept_look(engine, object);
	}
	return error;
}

/* Home's bytes of [low, high) are others now: what is on its way of them is asked for again. */
void hp_file_outdate(hp_engine *engine, struct hp_object *object, uint64_t low, uint64_t high)
{
	bool any = false;

	if (object->content != HP_CONTENT_BLOCKS)
		return;
	for (uint64_t block = low >> HP_BLOCK_SHIFT; block < object->blocks && block << HP_BLOCK_SHIFT < high; block++)
		any |= hp_bit(object->asked, block);
	if (!any)
		return;
	object->generation++;
	memset(object->asked, 0, object->blocks / 8 + 1);
	object->stream_at = object->stream_done = 0;
	object->streaming = false;
	pthread_cond_broadcast(&engine->changed);
}

/* After the job changed the size, at home and in the mirror. */
void hp_file_set_size(hp_engine *engine, struct hp_object *object, uint64_t size)
{
	hp_file_outdate(engine, object, size, UINT64_MAX);
	object->home_size = object->append_from = object->append_sure = object->append_noted = size;
	if (object->content == HP_CONTENT_BLOCKS && hp_blocks_of(size) < object->blocks) {
		object->blocks = hp_blocks_of(size);
		hp_file_publish_map(engine, object);
	}
}

/* Zeros need no memory: pages of them are left as holes, as lseek(SEEK_HOLE)
 * would mostly find them at home. Returns 0 or an errno. */
int hp_write_sparse(int fd, const uint8_t *bytes, uint64_t length, uint64_t offset)
{
	static const uint8_t zeros[4096];
	uint64_t at = 0;

	while (at < length) {
		uint64_t end = at;

		while (end < length && memcmp(bytes + end, zeros, length - end < 4096 ? length - end : 4096) != 0)
			end += length - end < 4096 ? length - end : 4096;
		while (at < end) {
			ssize_t count = pwrite(fd, bytes + at, end - at, (off_t)(offset + at));

			if (count <= 0)
				return errno ? errno : EIO;
			at += (uint64_t)count;
		}
		at = end < length ? end + 4096 : end;
	}
	return 0;
}

static void apply_fill(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
		       const uint8_t *body, size_t length)
{
	struct hp_object *object = pending->context;
	uint64_t first = pending->offset >> HP_BLOCK_SHIFT, last = hp_blocks_of(pending->offset + pending->length);
	int error = reply->error ? reply->error : reply->count > length ? EIO : 0;

	if (object->content != HP_CONTENT_BLOCKS || object->fd < 0 || pending->generation != object->generation)
		return;
	engine->stats.bytes_read += error ? 0 : reply->count;
	if (!error && reply->count)
		hp_carried(engine, object, reply->count, 0);
	hp_file_take(engine, object, first, last - first, body, reply->count, error);
}

void hp_file_forget_asked(struct hp_object *object, uint64_t first, uint64_t count)
{
	for (uint64_t block = first; block < first + count && block < object->blocks; block++)
		object->asked[block / 8] &= (uint8_t)~(1u << (block % 8));
}

void hp_file_take(hp_engine *engine, struct hp_object *object, uint64_t first, uint64_t blocks, const uint8_t *body,
		  uint64_t length, int error)
{
	struct stat before;

	if (!error && fstat(object->fd, &before))
		error = EIO;
	hp_file_forget_asked(object, first, blocks);
	if (!error)
		hp_mirror_unsteady(engine, object);
	for (uint64_t block = first; block < first + blocks && block < object->blocks; block++) {
		uint64_t start = (block - first) << HP_BLOCK_SHIFT;
		uint64_t count = start >= length ? 0 : length - start;

		if (error || hp_bit(object->present, block))
			continue;
		if (count > HP_BLOCK)
			count = HP_BLOCK;
		while ((error = hp_write_sparse(object->fd, body + start, count, block << HP_BLOCK_SHIFT)) == ENOSPC &&
		       hp_evict(engine, HP_EVICT_STEP))
			;
		if (!error)
			hp_set_present(engine, object, block, true);
	}
	if (error)
		object->fill_error = error;
	else if (before.st_mtim.tv_sec == object->local_mtime.tv_sec &&
		 before.st_mtim.tv_nsec == object->local_mtime.tv_nsec)
		futimens(object->fd, (struct timespec[]){ { .tv_nsec = UTIME_OMIT }, object->local_mtime });
	hp_mirror_publish(engine, object);
	if (object->streaming)
		hp_stream_on(engine, object);
	pthread_cond_broadcast(&engine->changed);
}

static void request_blocks(hp_engine *engine, struct hp_object *object, uint64_t first, uint64_t count, int lane)
{
	while (count > 0) {
		uint64_t part = count < HPW_MAX_READ / HP_BLOCK ? count : HPW_MAX_READ / HP_BLOCK;
		struct hp_pending *pending = calloc(1, sizeof *pending);

		for (uint64_t block = first; block < first + part; block++)
			object->asked[block / 8] |= (uint8_t)(1u << (block % 8));
		*pending = (struct hp_pending){ .apply = apply_fill,
						.context = object,
						.detached = true,
						.offset = first << HP_BLOCK_SHIFT,
						.length = part << HP_BLOCK_SHIFT,
						.generation = object->generation };
		hp_wire_send(engine, lane, pending,
			     &(struct hp_request){ .head = { .op = HPW_READ,
							     .handle = object->handle,
							     .offset = pending->offset,
							     .length = pending->length } });
		if (pending->done) { /* the link is gone */
			object->fill_error = pending->error;
			hp_file_forget_asked(object, first, part);
			free(pending);
		}
		first += part;
		count -= part;
	}
}

void hp_file_request(hp_engine *engine, struct hp_object *object, uint64_t first, uint64_t end, int lane)
{
	while (first < end && first < object->blocks) {
		bool kept = hp_kept_has(engine, object, first);
		uint64_t run = first;

		while (run < end && run < object->blocks && !hp_bit(object->present, run) &&
		       !hp_bit(object->asked, run) && hp_kept_has(engine, object, run) == kept)
			run++;
		if (run > first && kept)
			hp_kept_read(engine, object, first, run - first, lane == HP_LANE_WAIT);
		else if (run > first)
			request_blocks(engine, object, first, run - first, lane);
		else
			run++;
		first = run;
	}
}

/* Waits until [offset, offset + length) is present. With `ahead`, what a
 * sequential reader will want next is on its way too. */
int hp_file_fill(hp_engine *engine, struct hp_object *object, uint64_t offset, uint64_t length, bool ahead)
{
	uint64_t first = offset >> HP_BLOCK_SHIFT, end;
	unsigned retries = 0;

	if (object->content != HP_CONTENT_BLOCKS || length == 0)
		return 0;
	end = offset + length < offset ? object->blocks : hp_blocks_of(offset + length);
	if (end > object->blocks)
		end = object->blocks;
	if (ahead)
		hp_read_seen(engine, object, offset, length);
	object->fill_error = 0;
	hp_file_request(engine, object, first, end, end - first > 4 ? HP_LANE_BULK : HP_LANE_WAIT);
	if (ahead)
		hp_read_ahead(engine, object, end, length);
	for (uint64_t block = first; block < end && block < object->blocks; block++) {
		bool kept = hp_kept_has(engine, object, block);
		uint64_t before_ns;

		if (hp_bit(object->present, block))
			continue;
		before_ns = hp_now_ns();
		while (block < object->blocks && !hp_bit(object->present, block) && hp_bit(object->asked, block))
			pthread_cond_wait(&engine->changed, &engine->lock);
		if (!kept)
			hp_waited(engine, before_ns, HP_WAIT_CONTENT, 0);
		if (object->content != HP_CONTENT_BLOCKS || block >= object->blocks)
			return 0;
		if (hp_bit(object->present, block))
			continue;
		if (object->fill_error && object->fill_error != ENOSPC)
			return -object->fill_error;
		if (object->fill_error == ENOSPC && hp_make_room(engine, length + HP_EVICT_STEP))
			return -ENOSPC;
		if (++retries > 64)
			return -EIO;
		object->fill_error = 0; /* evicted again, or asked by another who failed: once more */
		hp_file_request(engine, object, block, end, HP_LANE_WAIT);
	}
	return 0;
}
