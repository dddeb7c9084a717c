/* Write-behind: what the job wrote travels home behind its back.
 *
 * The shim notes byte ranges in shared memory around each native write. Here
 * they are taken, read from the mirror, and sent in order on the bulk lane. A
 * range may be noted although nothing was written yet: its bytes are then sent
 * once too often, never too seldom. A process killed between its write and its
 * second note is found by the file's mtime at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define COALESCE_NS 4000000L

typedef unsigned __int128 pair;

static bool has_deferred(const struct hp_object *object)
{
	return object->deferred.low < object->deferred.high;
}

static bool take_extent(struct hp_extent *extent, struct hp_range *range)
{
	pair old = *(volatile pair *)extent;

	while (!__sync_bool_compare_and_swap((pair *)extent, old, (pair)0))
		old = *(volatile pair *)extent;
	range->low = (uint64_t)old;
	range->high = (uint64_t)(old >> 64);
	return range->low < range->high;
}

static void ring_flusher(hp_engine *engine, struct hp_object *object)
{
	__atomic_store_n(&engine->channel->files[object->file].queued, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&engine->channel->dirty_bell, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &engine->channel->dirty_bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void apply_look(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
		       const uint8_t *body, size_t length)
{
	struct hp_object *object = pending->context;
	const struct hpw_entry *entry = reply->error || !body ? NULL : hp_wire_entry(&body, body + length);

	if (entry && object->mixed && entry->attr.ino == object->attr.ino)
		hp_renew(engine, object, &entry->attr); /* if not now, then when home has what is written since */
}

static void ask_for_mixed(hp_engine *engine, struct hp_object *object)
{
	struct hp_pending *pending;

	if (!hp_renewable(object) || hp_file_has_dirty(engine, object))
		return;
	pending = calloc(1, sizeof *pending);
	*pending = (struct hp_pending){ .apply = apply_look, .context = object, .detached = true };
	hp_wire_send(engine, HP_LANE_BULK, pending,
		     &(struct hp_request){ .head = { .op = HPW_GETATTR, .handle = object->handle } });
	if (pending->done)
		free(pending);
}

/* Home has everything: either where it lies here, or it is fetched again. */
static void all_appended(hp_engine *engine, struct hp_object *object)
{
	if (object->mixed)
		ask_for_mixed(engine, object);
	else
		object->append_sure = object->append_from;
	if (object->file && has_deferred(object))
		ring_flusher(engine, object);
}

static void apply_written(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			  const uint8_t *body, size_t length)
{
	struct hp_object *object = pending->context;

	(void)body;
	(void)length;
	object->in_flight--;
	engine->bytes_in_flight -= pending->length;
	if (reply->error && !object->orphan && pending->op == HPW_WRITE) {
		if (!object->error)
			object->error = reply->error;
		if (!engine->first_error)
			engine->first_error = reply->error;
		engine->channel->files[object->file].error = reply->error;
	}
	if (object->appends && object->in_flight == 0)
		all_appended(engine, object);
	pthread_cond_broadcast(&engine->changed);
}

static void send_tracked(hp_engine *engine, struct hp_object *object, hp_apply apply, const struct hp_request *request)
{
	struct hp_pending *pending = calloc(1, sizeof *pending);

	*pending = (struct hp_pending){
		.apply = apply,
		.context = object,
		.detached = true,
		.offset = request->head.offset,
		.length = request->head.len1,
	};
	object->in_flight++;
	engine->bytes_in_flight += pending->length;
	hp_wire_send(engine, HP_LANE_BULK, pending, request);
	if (pending->done) {
		struct hpw_reply reply = { .error = pending->error };

		apply(engine, pending, &reply, NULL, 0);
		free(pending);
	}
}

/* An extent may span blocks that never came: those hold nothing of the job's,
 * and the zeros in their place must not travel. */
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

/* Where it began says whether others appended before us: then the mirror's bytes
 * do not lie where home's do, and go as soon as home has everything of ours. */
static void apply_appended(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			   const uint8_t *body, size_t length)
{
	struct hp_object *object = pending->context;
	uint64_t began;

	if (!reply->error && body && length >= sizeof began && reply->count == sizeof began) {
		memcpy(&began, body, sizeof began);
		object->mixed |= began != pending->offset;
	}
	apply_written(engine, pending, reply, body, length);
}

static void send_tail(hp_engine *engine, struct hp_object *object, uint64_t end, uint8_t *buffer)
{
	while (object->append_from < end) {
		uint64_t low = object->append_from, count = end - low;
		ssize_t got;

		while (engine->bytes_in_flight > HP_IN_FLIGHT && !engine->failed)
			pthread_cond_wait(&engine->changed, &engine->lock);
		if (object->append_from != low)
			continue; /* another thread was here while we waited */
		got = pread(object->fd, buffer, count < HP_WRITE_CHUNK ? count : HP_WRITE_CHUNK, (off_t)low);
		if (got <= 0)
			return;
		object->append_from = low + (uint64_t)got;
		send_tracked(engine, object, apply_appended,
			     &(struct hp_request){ .head = { .op = HPW_WRITE,
							     .flags = HPW_AT_END,
							     .handle = object->handle,
							     .offset = low,
							     .length = (uint64_t)got,
							     .len1 = (uint32_t)got },
						   .string1 = buffer });
		engine->stats.bytes_written += (uint64_t)got;
	}
}

/* Between append_sure and append_from; what lies behind is sent as a tail. */
static void defer(struct hp_object *object, struct hp_range range)
{
	struct hp_range *deferred = &object->deferred;

	if (range.low < object->append_sure)
		range.low = object->append_sure;
	if (range.high > object->append_from)
		range.high = object->append_from;
	if (range.low >= range.high)
		return;
	if (deferred->low >= deferred->high)
		*deferred = range;
	if (range.low < deferred->low)
		deferred->low = range.low;
	if (range.high > deferred->high)
		deferred->high = range.high;
}

static void send_range(hp_engine *engine, struct hp_object *object, struct hp_range range, uint8_t *buffer)
{
	uint64_t count;

	if (object->appends && range.high > object->append_sure) {
		defer(object, range);
		range.high = object->append_sure;
	}
	while ((count = present_run(object, &range)) > 0) {
		ssize_t got =
			pread(object->fd, buffer, count < HP_WRITE_CHUNK ? count : HP_WRITE_CHUNK, (off_t)range.low);

		if (got <= 0)
			break; /* cut off meanwhile: the TRUNCATE behind us says so at home */
		while (engine->bytes_in_flight > HP_IN_FLIGHT && !engine->failed)
			pthread_cond_wait(&engine->changed, &engine->lock);
		send_tracked(engine, object, apply_written,
			     &(struct hp_request){ .head = { .op = HPW_WRITE,
							     .handle = object->handle,
							     .offset = range.low,
							     .length = (uint64_t)got,
							     .len1 = (uint32_t)got },
						   .string1 = buffer });
		engine->stats.bytes_written += (uint64_t)got;
		range.low += (uint64_t)got;
	}
}

/* The offset turns this machine's clock into home's. */
static void send_mtime(hp_engine *engine, struct hp_object *object, struct timespec mtime)
{
	int64_t total = mtime.tv_sec * 1000000000LL + mtime.tv_nsec + engine->config.clock_offset_ns;
	struct hpw_attr attr = { .mtime_s = total / 1000000000LL, .mtime_ns = (uint32_t)(total % 1000000000LL) };

	object->attr.mtime_s = attr.mtime_s; /* what home has when this arrives: another value is somebody else's */
	object->attr.mtime_ns = attr.mtime_ns;
	send_tracked(engine, object, apply_written,
		     &(struct hp_request){ .head = { .op = HPW_SETATTR,
						     .handle = object->handle,
						     .mode = HPW_SET_MTIME,
						     .len2 = sizeof attr },
					   .string2 = &attr });
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void collect(hp_engine *engine, struct hp_object *object, bool last)
{
	struct hp_file *file = &engine->channel->files[object->file];
	struct hp_range ranges[HP_EXTENTS + 2];
	unsigned count = 0;
	struct stat status;
	uint8_t *buffer;
	bool tail, mapped = false;

	__atomic_store_n(&file->queued, 0, __ATOMIC_SEQ_CST);
	if (object->fd < 0 || !object->handle_writable || fstat(object->fd, &status))
		return;
	for (unsigned i = 0; i < HP_EXTENTS; i++)
		if (take_extent(&file->dirty[i], &ranges[count]))
			count++;
	if (last && count == 0 && !same_time(status.st_mtim, object->sent_mtime) &&
	    !same_time(status.st_mtim, object->local_mtime))
		ranges[count++] = (struct hp_range){ 0, (uint64_t)status.st_size };
	if (object->in_flight == 0 && has_deferred(object)) {
		if (!object->mixed) /* else it lies elsewhere at home, and home's order holds */
			ranges[count++] = object->deferred;
		object->deferred = (struct hp_range){ 0 };
	}
	tail = object->appends && (uint64_t)status.st_size > object->append_from;
	if ((count == 0 && object->nshared == 0 && !tail) || object->orphan)
		return;
	object->written = true;
	object->sent_mtime = status.st_mtim;
	buffer = malloc(HP_WRITE_CHUNK);
	for (unsigned i = 0; i < count; i++)
		send_range(engine, object, ranges[i], buffer);
	for (unsigned i = 0; i < object->nshared; i++) {
		struct hp_range range = object->shared[i], changed;

		while (hp_mapped_changed(object, &range, &changed, buffer)) {
			send_range(engine, object, changed, buffer);
			mapped = true;
		}
	}
	if (tail)
		send_tail(engine, object, (uint64_t)status.st_size, buffer);
	free(buffer);
	if (mapped && count == 0 && !tail && /* the mirror's file system does not follow mappings */
	    futimens(object->fd, (struct timespec[]){ { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } }) == 0 &&
	    fstat(object->fd, &status) == 0)
		object->sent_mtime = status.st_mtim;
	if (count || tail || mapped)
		send_mtime(engine, object, status.st_mtim);
}

void hp_flush_collect(hp_engine *engine, struct hp_object *object)
{
	if (object->file)
		collect(engine, object, false);
}

void hp_flush_dirty(hp_engine *engine)
{
	for (uint32_t n = 1; n < HP_FILES; n++)
		if (engine->files[n] && __atomic_load_n(&engine->channel->files[n].queued, __ATOMIC_SEQ_CST))
			hp_flush_collect(engine, engine->files[n]);
}

void hp_flush_all_of(hp_engine *engine, struct hp_object *object)
{
	uint8_t *buffer = malloc(HP_WRITE_CHUNK);
	struct stat status;

	if (buffer && object->fd >= 0 && fstat(object->fd, &status) == 0) {
		object->written = true;
		object->sent_mtime = status.st_mtim;
		send_range(engine, object, (struct hp_range){ 0, (uint64_t)status.st_size }, buffer);
		send_mtime(engine, object, status.st_mtim);
	}
	free(buffer);
}

int hp_flush_object(hp_engine *engine, struct hp_object *object)
{
	do {
		hp_flush_collect(engine, object);
		while (object->in_flight > 0)
			pthread_cond_wait(&engine->changed, &engine->lock);
	} while (has_deferred(object) && !engine->failed);
	return object->orphan ? 0 : -object->error;
}

int hp_flush_everything(hp_engine *engine)
{
	bool again;

	do {
		again = false;
		for (uint32_t n = 1; n < HP_FILES; n++)
			if (engine->files[n] && engine->files[n]->handle_writable)
				collect(engine, engine->files[n], true);
		for (uint32_t n = 1; n < HP_FILES; n++) {
			while (engine->files[n] && engine->files[n]->in_flight > 0)
				pthread_cond_wait(&engine->changed, &engine->lock);
			again |= engine->files[n] && has_deferred(engine->files[n]);
		}
	} while (again && !engine->failed);
	return engine->failed ? -engine->failed : -engine->first_error;
}

int hp_engine_barrier(hp_engine *engine)
{
	int error;

	pthread_mutex_lock(&engine->lock);
	error = -hp_flush_everything(engine);
	hp_locks_settle(engine);
	pthread_mutex_unlock(&engine->lock);
	return error;
}

static void wait_for_bell(struct hp_channel *channel, uint32_t seen)
{
	__atomic_store_n(&channel->flusher_asleep, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&channel->dirty_bell, __ATOMIC_SEQ_CST) == seen)
		syscall(SYS_futex, &channel->dirty_bell, FUTEX_WAIT, seen, NULL, NULL, 0);
	__atomic_store_n(&channel->flusher_asleep, 0, __ATOMIC_SEQ_CST);
}

void *hp_flusher_main(void *argument)
{
	hp_engine *engine = argument;
	struct hp_channel *channel = engine->channel;
	uint32_t seen = 0;

	for (;;) {
		uint32_t bell = __atomic_load_n(&channel->dirty_bell, __ATOMIC_SEQ_CST);

		if (__atomic_load_n(&engine->stopping, __ATOMIC_SEQ_CST))
			return NULL; /* set before the bell rings for it */
		if (bell == seen) {
			wait_for_bell(channel, seen);
			continue;
		}
		nanosleep(&(struct timespec){ .tv_nsec = COALESCE_NS }, NULL); /* small writes share a record */
		seen = __atomic_load_n(&channel->dirty_bell, __ATOMIC_SEQ_CST);
		pthread_mutex_lock(&engine->lock);
		hp_flush_dirty(engine);
		pthread_mutex_unlock(&engine->lock);
	}
}
