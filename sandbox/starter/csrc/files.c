/* Files that need care while open: numbers in shared memory, handles at home,
 * which blocks are present, fetching and evicting them.
 *
 * The engine's own bitmap is the truth; the one in shared memory is what the
 * shim looks at before it reads natively. A block is offered there only after
 * its bytes lie in the mirror, and taken back before they are dropped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define WINDOW_FIRST (512u << 10)
#define WINDOW_MOST (16u << 20)
#define EVICT_STEP (8u << 20)

static bool bit(const uint8_t *map, uint64_t n)
{
	return map[n / 8] >> (n % 8) & 1;
}

static uint64_t blocks_of(uint64_t size)
{
	return (size + HP_BLOCK - 1) >> HP_BLOCK_SHIFT;
}

bool hp_file_missing(const struct hp_object *object, uint64_t block)
{
	return object->content == HP_CONTENT_BLOCKS && block < object->blocks && !bit(object->present, block);
}

/* Nobody else has it open: a write lease says so (fcntl(2), F_SETLEASE). */
static bool in_use(int fd)
{
	int other = fcntl(fd, F_SETLEASE, F_WRLCK);

	if (other == 0)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	return other != 0;
}

static bool has_dirty(const hp_engine *engine, const struct hp_object *object)
{
	const struct hp_file *file = &engine->channel->files[object->file];

	for (unsigned i = 0; i < HP_EXTENTS; i++)
		if (file->dirty[i].low != file->dirty[i].high)
			return true;
	return object->in_flight > 0;
}

void hp_file_release(hp_engine *engine, struct hp_object *object)
{
	struct hp_file *file = &engine->channel->files[object->file];

	if (object->file == 0)
		return;
	memset(file, 0, sizeof *file);
	engine->files[object->file] = NULL;
	object->file = 0;
	close(object->fd);
	object->fd = -1;
	if (object->handle)
		hp_wire_close_handle(engine, object->handle);
	object->handle = 0;
	object->handle_writable = object->opened_writable = false;
	if (object->content == HP_CONTENT_BLOCKS) {
		object->content = HP_CONTENT_NONE;
		free(object->present);
		free(object->asked);
		object->present = object->asked = NULL;
		object->blocks = 0;
	}
	if (object->names)
		hp_mirror_permit(engine, object);
	hp_mirror_publish(engine, object);
}

/* Numbers of files that are clean and open nowhere become free. Files known by
 * blocks are left, or what was fetched would be fetched again. */
static bool collect_numbers(hp_engine *engine)
{
	bool any = false;

	for (uint32_t n = 1; n < HP_FILES; n++) {
		struct hp_object *object = engine->files[n];
		int fd;

		if (!object || object->mapped || object->filling || has_dirty(engine, object) || object->error)
			continue;
		if (object->content == HP_CONTENT_BLOCKS && object->names)
			continue;
		close(object->fd);
		object->fd = -1;
		fd = object->names ? hp_mirror_open(engine, object, O_RDWR) : -1;
		object->fd = fd;
		if (fd >= 0 && in_use(fd))
			continue;
		if (fd < 0 && object->names)
			continue;
		hp_file_release(engine, object);
		any = true;
	}
	return any;
}

int hp_file_number(hp_engine *engine, struct hp_object *object)
{
	uint32_t number;
	int fd;

	if (object->file)
		return 0;
	for (int round = 0;; round++) {
		for (number = engine->next_file; number < HP_FILES && engine->files[number]; number++)
			;
		if (number == HP_FILES)
			for (number = 1; number < engine->next_file && engine->files[number]; number++)
				;
		if (number < HP_FILES && !engine->files[number])
			break;
		if (round || !collect_numbers(engine))
			return -ENFILE;
	}
	fd = hp_mirror_open(engine, object, O_RDWR);
	if (fd < 0)
		return fd;
	object->fd = fd;
	object->file = number;
	engine->files[number] = object;
	engine->next_file = number + 1;
	memset(&engine->channel->files[number], 0, sizeof(struct hp_file));
	__atomic_store_n(&engine->channel->files[number].inode, object->inode, __ATOMIC_SEQ_CST);
	return 0;
}

struct opened {
	struct hp_object *object;
	bool emptied, replaced;
};

/* What home opened is the file we know, unless it was replaced or written
 * there since: then the name gets a new inode, and the caller looks again. */
static void apply_opened(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	struct opened *opened = pending->context;
	const uint8_t *end = body + length, *first = body;
	const struct hpw_entry *entry = reply->error || !body ? NULL : hp_wire_entry(&body, end);

	if (entry && opened->emptied && entry->attr.ino == opened->object->attr.ino &&
	    entry->attr.dev == opened->object->attr.dev) {
		hp_object_rehome(engine, opened->object, &entry->attr);
		return;
	}
	if (first)
		hp_apply_entries(engine, pending, reply, first, (size_t)(end - first));
	opened->replaced = opened->object->names == 0;
}

/* A handle at home that can read, and write if asked. `flags`: Linux O_*. */
int hp_file_open_home(hp_engine *engine, struct hp_object *object, int flags)
{
	bool write = (flags & O_ACCMODE) != O_RDONLY;
	struct opened opened = { .object = object, .emptied = flags & O_TRUNC };
	struct hp_pending pending = { .apply = apply_opened, .context = &opened };
	uint64_t handle = ++engine->next_handle;
	char *path;
	int error;

	if (object->handle && (!write || object->handle_writable) && !(flags & O_TRUNC))
		return 0;
	path = hp_object_path(object);
	if (!path)
		return -ESTALE;
	if (write && object->attr.access & 4)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	error = hp_wire_call(engine, HP_LANE_WAIT, &pending,
			     &(struct hp_request){ .head = { .op = HPW_OPEN, .handle = handle, .arg = (uint32_t)flags,
							     .flags = HPW_CONTENT, .length = HP_INLINE_LIMIT,
							     .len1 = (uint32_t)strlen(path) },
						   .string1 = path });
	free(path);
	if (error)
		return -error;
	if (opened.replaced) {
		hp_wire_close_handle(engine, handle);
		return -EAGAIN;
	}
	object->handle = handle; /* an older one may still have reads on the way: it is left to the end */
	object->handle_writable = write;
	return 0;
}

void hp_file_publish_map(hp_engine *engine, struct hp_object *object)
{
	struct hp_file *file = &engine->channel->files[object->file];
	uint64_t bytes = (object->blocks + 63) / 64 * 8;

	if (file->map_offset == 0 && engine->map_used + bytes + 64 > HP_MAP_BYTES) {
		__atomic_store_n(&file->evicting, 1, __ATOMIC_SEQ_CST); /* no room: every reader asks */
	} else {
		if (file->map_offset == 0 || file->map_blocks < object->blocks) {
			__atomic_add_fetch(&file->sequence, 1, __ATOMIC_SEQ_CST);
			engine->map_used += 64;
			file->map_offset = engine->map_used;
			engine->map_used += bytes;
			memcpy(engine->channel->maps + file->map_offset, object->present, (object->blocks + 7) / 8);
			file->map_blocks = object->blocks;
			__atomic_add_fetch(&file->sequence, 1, __ATOMIC_SEQ_CST);
		} else {
			file->map_blocks = object->blocks;
		}
	}
	__atomic_or_fetch(&file->flags, HP_FILE_BLOCKS, __ATOMIC_SEQ_CST);
}

static void set_present(hp_engine *engine, struct hp_object *object, uint64_t block, bool present)
{
	struct hp_file *file = &engine->channel->files[object->file];
	uint8_t mask = (uint8_t)(1u << (block % 8)), *shared;

	if (present)
		object->present[block / 8] |= mask;
	else
		object->present[block / 8] &= (uint8_t)~mask;
	if (file->map_offset == 0 || file->map_offset + block / 8 >= HP_MAP_BYTES)
		return;
	shared = &engine->channel->maps[file->map_offset + block / 8];
	if (present)
		__atomic_or_fetch(shared, mask, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(shared, (uint8_t)~mask, __ATOMIC_SEQ_CST);
}

/* From a placeholder, or (whole) from a file the mirror has all of. */
static int start_blocks(hp_engine *engine, struct hp_object *object, uint64_t size, bool whole)
{
	uint64_t blocks = blocks_of(size);

	object->blocks = blocks;
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
		error = start_blocks(engine, object, object->attr.size, false);
		hp_mirror_permit(engine, object);
		hp_mirror_publish(engine, object);
	}
	return error;
}

/* After the job changed the size, at home and in the mirror. */
void hp_file_set_size(hp_engine *engine, struct hp_object *object, uint64_t size)
{
	object->home_size = size;
	if (object->content == HP_CONTENT_BLOCKS && blocks_of(size) < object->blocks) {
		object->blocks = blocks_of(size);
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

static void apply_fill(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply, const uint8_t *body,
		       size_t length)
{
	struct hp_object *object = pending->context;
	uint64_t first = pending->offset >> HP_BLOCK_SHIFT, last = blocks_of(pending->offset + pending->length);
	struct stat before;
	int error = reply->error;

	if (object->content != HP_CONTENT_BLOCKS || object->fd < 0)
		return;
	if (!error && (reply->count > length || fstat(object->fd, &before)))
		error = EIO;
	engine->stats.bytes_read += error ? 0 : reply->count;
	for (uint64_t block = first; block < last && block < object->blocks; block++) {
		uint64_t start = (block - first) << HP_BLOCK_SHIFT;
		uint64_t count = start >= reply->count ? 0 : reply->count - start;

		object->asked[block / 8] &= (uint8_t)~(1u << (block % 8));
		if (error || bit(object->present, block))
			continue;
		if (count > HP_BLOCK)
			count = HP_BLOCK;
		while ((error = hp_write_sparse(object->fd, body + start, count, block << HP_BLOCK_SHIFT)) == ENOSPC &&
		       hp_evict(engine, EVICT_STEP))
			;
		if (!error)
			set_present(engine, object, block, true);
	}
	if (error)
		object->fill_error = error;
	else if (before.st_mtim.tv_sec == object->local_mtime.tv_sec && before.st_mtim.tv_nsec == object->local_mtime.tv_nsec)
		futimens(object->fd, (struct timespec[]){ { .tv_nsec = UTIME_OMIT }, object->local_mtime });
	pthread_cond_broadcast(&engine->changed);
}

static void request_blocks(hp_engine *engine, struct hp_object *object, uint64_t first, uint64_t count, int lane)
{
	while (count > 0) {
		uint64_t part = count < HPW_MAX_READ / HP_BLOCK ? count : HPW_MAX_READ / HP_BLOCK;
		struct hp_pending *pending = calloc(1, sizeof *pending);

		for (uint64_t block = first; block < first + part; block++)
			object->asked[block / 8] |= (uint8_t)(1u << (block % 8));
		*pending = (struct hp_pending){ .apply = apply_fill, .context = object, .detached = true,
						.offset = first << HP_BLOCK_SHIFT, .length = part << HP_BLOCK_SHIFT };
		hp_wire_send(engine, lane, pending,
			     &(struct hp_request){ .head = { .op = HPW_READ, .handle = object->handle,
							     .offset = pending->offset, .length = pending->length } });
		if (pending->done) { /* the link is gone */
			object->fill_error = pending->error;
			for (uint64_t block = first; block < first + part; block++)
				object->asked[block / 8] &= (uint8_t)~(1u << (block % 8));
			free(pending);
		}
		first += part;
		count -= part;
	}
}

static void request_missing(hp_engine *engine, struct hp_object *object, uint64_t first, uint64_t end, int lane)
{
	while (first < end && first < object->blocks) {
		uint64_t run = first;

		while (run < end && run < object->blocks && !bit(object->present, run) && !bit(object->asked, run))
			run++;
		if (run > first)
			request_blocks(engine, object, first, run - first, lane);
		else
			run++;
		first = run;
	}
}

/* All of it, behind what the job waits for. */
void hp_file_prefetch(hp_engine *engine, struct hp_object *object)
{
	if (object->content == HP_CONTENT_BLOCKS && object->attr.size < engine->config.mirror_bytes / 8)
		request_missing(engine, object, 0, object->blocks, HP_LANE_BULK);
}

/* Waits until [offset, offset + length) is present. With `ahead`, what a
 * sequential reader will want next is on its way too. */
int hp_file_fill(hp_engine *engine, struct hp_object *object, uint64_t offset, uint64_t length, bool ahead)
{
	uint64_t first = offset >> HP_BLOCK_SHIFT, end;
	unsigned retries = 0;

	if (object->content != HP_CONTENT_BLOCKS || length == 0)
		return 0;
	end = offset + length < offset ? object->blocks : blocks_of(offset + length);
	if (end > object->blocks)
		end = object->blocks;
	if (ahead && offset <= object->next_expected && offset + length + HP_BLOCK >= object->next_expected) {
		object->window = object->window ? object->window * 2 : WINDOW_FIRST;
		if (object->window > WINDOW_MOST)
			object->window = WINDOW_MOST;
		if (object->window > engine->config.mirror_bytes / 8)
			object->window = engine->config.mirror_bytes / 8;
	} else if (ahead) {
		object->window = 0;
	}
	if (ahead)
		object->next_expected = offset + length;
	object->fill_error = 0;
	request_missing(engine, object, first, end, end - first > 4 ? HP_LANE_BULK : HP_LANE_WAIT);
	if (ahead && object->window)
		request_missing(engine, object, end, end + (object->window >> HP_BLOCK_SHIFT), HP_LANE_BULK);
	for (uint64_t block = first; block < end && block < object->blocks; block++) {
		struct timespec before, after;

		if (bit(object->present, block))
			continue;
		clock_gettime(CLOCK_MONOTONIC, &before);
		while (block < object->blocks && !bit(object->present, block) && bit(object->asked, block))
			pthread_cond_wait(&engine->changed, &engine->lock);
		clock_gettime(CLOCK_MONOTONIC, &after);
		engine->stats.round_trips++;
		engine->stats.wait_ns += (uint64_t)(after.tv_sec - before.tv_sec) * 1000000000u +
					 (uint64_t)(after.tv_nsec - before.tv_nsec);
		if (object->content != HP_CONTENT_BLOCKS || block >= object->blocks)
			return 0;
		if (bit(object->present, block))
			continue;
		if (object->fill_error && object->fill_error != ENOSPC)
			return -object->fill_error;
		if (object->fill_error == ENOSPC && hp_make_room(engine, length + EVICT_STEP))
			return -ENOSPC;
		if (++retries > 64)
			return -EIO;
		object->fill_error = 0; /* evicted again, or asked by another who failed: once more */
		request_missing(engine, object, block, end, HP_LANE_WAIT);
	}
	return 0;
}

/* ---- making room --------------------------------------------------------- */

static bool stop_readers(struct hp_file *file)
{
	__atomic_store_n(&file->evicting, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 200; i++) {
		if (__atomic_load_n(&file->readers, __ATOMIC_SEQ_CST) == 0)
			return true;
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	__atomic_store_n(&file->evicting, 0, __ATOMIC_SEQ_CST); /* one of them was stopped or killed there: leave it */
	return false;
}

static uint64_t evict_blocks(hp_engine *engine, struct hp_object *object, uint64_t wanted)
{
	struct hp_file *file = &engine->channel->files[object->file];
	uint64_t keep_from = object->next_expected < (1u << 20) ? 0 : object->next_expected - (1u << 20);
	uint64_t keep_to = object->next_expected + object->window + (1u << 20), freed = 0;
	struct stat before;

	if (object->mapped || !object->handle || file->map_offset == 0 || has_dirty(engine, object) || !stop_readers(file))
		return 0;
	if (fstat(object->fd, &before) == 0 && !has_dirty(engine, object)) {
		for (uint64_t block = 0; block < object->blocks && freed < wanted; block++) {
			uint64_t start = block << HP_BLOCK_SHIFT;

			if (!bit(object->present, block) || (start + HP_BLOCK > keep_from && start < keep_to))
				continue;
			set_present(engine, object, block, false);
			if (fallocate(object->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start, HP_BLOCK)) {
				set_present(engine, object, block, true);
				break;
			}
			freed += HP_BLOCK;
		}
		futimens(object->fd, (struct timespec[]){ { .tv_nsec = UTIME_OMIT }, before.st_mtim });
	}
	__atomic_store_n(&file->evicting, 0, __ATOMIC_SEQ_CST);
	return freed;
}

/* Small files that nobody has open become placeholders again. */
static uint64_t evict_whole(hp_engine *engine, uint64_t wanted)
{
	uint64_t freed = 0;

	for (unsigned bucket = 0; bucket < HP_BUCKETS && freed < wanted; bucket++)
		for (struct hp_object *object = engine->by_inode[bucket]; object; object = object->next_by_inode) {
			int fd;

			if (object->kind != HP_FILE_KIND || object->content != HP_CONTENT_WHOLE || object->file ||
			    !object->name || object->written || object->filling || object->attr.size == 0)
				continue;
			fd = hp_mirror_open(engine, object, O_RDWR);
			if (fd < 0)
				continue;
			if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) { /* an open of the job's waits until we close */
				object->content = HP_CONTENT_NONE;
				hp_mirror_permit(engine, object);
				if (ftruncate(fd, 0) == 0 && ftruncate(fd, (off_t)object->attr.size) == 0)
					freed += object->attr.size;
				hp_mirror_set_times(engine, object, fd);
				hp_mirror_publish(engine, object);
			}
			close(fd);
		}
	return freed;
}

bool hp_evict(hp_engine *engine, uint64_t bytes)
{
	uint64_t freed = 0, wanted = bytes < EVICT_STEP ? EVICT_STEP : bytes;

	for (uint32_t n = 1; n < HP_FILES && freed < wanted; n++)
		if (engine->files[n] && engine->files[n]->content == HP_CONTENT_BLOCKS)
			freed += evict_blocks(engine, engine->files[n], wanted - freed);
	if (freed < bytes)
		freed += evict_whole(engine, wanted - freed);
	engine->stats.evicted_bytes += freed;
	return freed > 0;
}

/* Files the job wrote can be dropped block by block once home has them, if no
 * one could have opened them before they were numbered. */
static void written_to_blocks(hp_engine *engine)
{
	for (uint32_t n = 1; n < HP_FILES; n++) {
		struct hp_object *object = engine->files[n];
		struct stat status;

		if (!object || object->content != HP_CONTENT_WHOLE || object->plain_seen || object->mapped || !object->handle ||
		    !(object->attr.access & 4) || object->orphan || object->error || has_dirty(engine, object))
			continue;
		if (fstat(object->fd, &status) == 0 && (uint64_t)status.st_size >= EVICT_STEP)
			start_blocks(engine, object, (uint64_t)status.st_size, true);
	}
}

/* Growth of a file known by blocks: what the job appended and home has. */
static void extend_blocks(hp_engine *engine)
{
	for (uint32_t n = 1; n < HP_FILES; n++) {
		struct hp_object *object = engine->files[n];
		uint64_t blocks, old;
		struct stat status;

		if (!object || object->content != HP_CONTENT_BLOCKS || has_dirty(engine, object) || fstat(object->fd, &status))
			continue;
		old = object->blocks;
		blocks = blocks_of((uint64_t)status.st_size);
		if (blocks <= old)
			continue;
		object->present = realloc(object->present, blocks / 8 + 16);
		object->asked = realloc(object->asked, blocks / 8 + 16);
		for (uint64_t block = old; block < blocks; block++) {
			object->present[block / 8] |= (uint8_t)(1u << (block % 8));
			object->asked[block / 8] &= (uint8_t)~(1u << (block % 8));
		}
		object->blocks = blocks;
		hp_file_publish_map(engine, object);
	}
}

int hp_make_room(hp_engine *engine, uint64_t bytes)
{
	int error;

	if (hp_evict(engine, bytes))
		return 0;
	error = hp_flush_everything(engine);
	if (error)
		return error;
	written_to_blocks(engine);
	extend_blocks(engine);
	return hp_evict(engine, bytes) ? 0 : -ENOSPC;
}
