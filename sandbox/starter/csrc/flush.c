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

#include "mapped.h"
#include "runs.h"

#define COALESCE_NS 4000000L

typedef unsigned __int128 pair;

bool hp_flush_deferred(const struct hp_object *object)
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
	hp_flush_ring(engine);
}

void hp_flush_ring(hp_engine *engine)
{
	__atomic_add_fetch(&engine->channel->dirty_bell, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &engine->channel->dirty_bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void ask_for_mixed(hp_engine *, struct hp_object *);

static void apply_look(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
		       const uint8_t *body, size_t length)
{
	struct hp_object *object = pending->context;
	const struct hpw_entry *entry = reply->error || !body ? NULL : hp_wire_entry(&body, body + length);
	bool mixed = entry && object->mixed && entry->attr.ino == object->attr.ino;

	if (mixed && hp_is_older(engine, object))
		ask_for_mixed(engine, object);
	else if (mixed)
		hp_renew(engine, object, &entry->attr); /* if not now, then when home has what is written since */
}

static void ask_for_mixed(hp_engine *engine, struct hp_object *object)
{
	struct hp_pending *pending;

	if (!hp_renewable(object) || hp_file_has_dirty(engine, object))
		return;
	pending = calloc(1, sizeof *pending);
	*pending = (struct hp_pending){ .apply = apply_look, .context = object, .detached = true };
	hp_wire_send(engine, HP_LANE_WAIT, pending,
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
	if (object->file && hp_flush_deferred(object))
		ring_flusher(engine, object);
}

static void apply_written(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			  const uint8_t *body, size_t length)
{
	struct hp_object *object = pending->context;

	(void)body;
	(void)length;
	hp_written_answered(engine, pending, reply);
	if (object->appends && object->in_flight == 0)
		all_appended(engine, object);
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

/* Appends leave none: what lies behind one was written at its place, and goes there. */
static bool skip_hole(struct hp_object *object, uint64_t end)
{
	off_t data = lseek(object->fd, (off_t)object->append_from, SEEK_DATA);

	if (data == (off_t)object->append_from || (data < 0 && errno != ENXIO))
		return false;
	object->append_from = data < 0 || (uint64_t)data > end ? end : (uint64_t)data;
	return true;
}

static void send_tail(hp_engine *engine, struct hp_object *object, int lane, uint64_t end, uint8_t *buffer)
{
	while (object->append_from < end) {
		bool placed = skip_hole(object, end);
		uint64_t low = object->append_from, count = end - low;
		ssize_t got;

		while (engine->bytes_in_flight > HP_IN_FLIGHT && !engine->failed)
			pthread_cond_wait(&engine->changed, &engine->lock);
		got = pread(object->fd, buffer, count < HP_WRITE_CHUNK ? count : HP_WRITE_CHUNK, (off_t)low);
		if (got <= 0)
			return;
		got = (ssize_t)hp_run_until_hole(object, buffer, (size_t)got, low);
		if (count > (uint64_t)got) { /* others may append between two pieces: better between two lines */
			const uint8_t *last = memrchr(buffer, '\n', (size_t)got);

			got = last ? last - buffer + 1 : got;
		}
		object->append_from = low + (uint64_t)got;
		hp_written_send(engine, object, lane, placed ? apply_written : apply_appended,
				&(struct hp_request){ .head = { .op = HPW_WRITE,
								.flags = placed ? 0 : HPW_AT_END,
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

static void send_range(hp_engine *engine, struct hp_object *object, int lane, struct hp_range range, uint8_t *buffer,
		       enum hp_holes holes)
{
	uint64_t count;

	if (object->appends && range.high > object->append_sure) {
		defer(object, range);
		range.high = object->append_sure;
	}
	while ((count = hp_run_next(object, &range, holes)) > 0) {
		ssize_t got =
			pread(object->fd, buffer, count < HP_WRITE_CHUNK ? count : HP_WRITE_CHUNK, (off_t)range.low);

		if (got <= 0)
			break; /* cut off meanwhile: the TRUNCATE behind us says so at home */
		if (holes == HP_HOLES_STAY)
			got = (ssize_t)hp_run_until_hole(object, buffer, (size_t)got, range.low);
		while (engine->bytes_in_flight > HP_IN_FLIGHT && !engine->failed)
			pthread_cond_wait(&engine->changed, &engine->lock);
		hp_written_send(engine, object, lane, apply_written,
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
static void send_mtime(hp_engine *engine, struct hp_object *object, int lane, struct timespec mtime)
{
	int64_t total = mtime.tv_sec * 1000000000LL + mtime.tv_nsec + engine->config.clock_offset_ns;
	struct hpw_attr attr = { .mtime_s = total / 1000000000LL, .mtime_ns = (uint32_t)(total % 1000000000LL) };

	object->attr.mtime_s = attr.mtime_s; /* what home has when this arrives: another value is somebody else's */
	object->attr.mtime_ns = attr.mtime_ns;
	hp_written_send(engine, object, lane, apply_written,
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

static uint64_t bytes_of(const struct hp_object *object, const struct hp_range *ranges, unsigned count, uint64_t tail)
{
	uint64_t bytes = tail;

	for (unsigned i = 0; i < count; i++)
		bytes += ranges[i].high - ranges[i].low;
	for (unsigned i = 0; i < object->nshared; i++)
		bytes += object->shared[i].high - object->shared[i].low;
	return bytes;
}

/* One thread at a time for each file: what is sent first was written first. */
void hp_flush_hold(hp_engine *engine, struct hp_object *object)
{
	while (object->collecting)
		pthread_cond_wait(&engine->changed, &engine->lock);
	object->collecting = true;
}

void hp_flush_let_go(hp_engine *engine, struct hp_object *object)
{
	object->collecting = false;
	hp_file_forsake(engine, object);
	pthread_cond_broadcast(&engine->changed);
}

enum how { AS_THEY_COME, LAST };

static void collect_now(hp_engine *engine, struct hp_object *object, enum how how)
{
	struct hp_file *file = &engine->channel->files[object->file];
	struct hp_range ranges[HP_EXTENTS + 2];
	unsigned count = 0;
	struct stat status, now; /* the times of before: what is written meanwhile is found by them */
	uint8_t *buffer;
	uint64_t tail = 0, end;
	bool mapped = false;
	int lane;

	__atomic_store_n(&file->queued, 0, __ATOMIC_SEQ_CST);
	if (object->fd < 0 || !object->handle_writable || fstat(object->fd, &status))
		return;
	for (unsigned i = 0; i < HP_EXTENTS; i++)
		if (take_extent(&file->dirty[i], &ranges[count]))
			count++;
	for (unsigned i = 0; i < count; i++)
		if (ranges[i].high > object->append_noted)
			object->append_noted = ranges[i].high;
	/* blocks that came from home beside the write have put the time back that was before it */
	if (count && same_time(status.st_mtim, object->local_mtime))
		hp_mirror_touch(object->fd, &status);
	if (how == LAST && count == 0 && !same_time(status.st_mtim, object->sent_mtime) &&
	    !same_time(status.st_mtim, object->local_mtime))
		ranges[count++] = (struct hp_range){ 0, (uint64_t)status.st_size };
	if (object->in_flight == 0 && hp_flush_deferred(object)) {
		if (!object->mixed) /* else it lies elsewhere at home, and home's order holds */
			ranges[count++] = object->deferred;
		object->deferred = (struct hp_range){ 0 };
	}
	/* looked at after the notes were taken: a size seen before may end in the middle of a write that was noted since */
	end = fstat(object->fd, &now) ? 0 : (uint64_t)now.st_size;
	if (how != LAST && end > object->append_noted)
		end = object->append_noted;
	if (object->appends && end > object->append_from)
		tail = end - object->append_from;
	if ((count == 0 && object->nshared == 0 && !tail) || object->orphan)
		return;
	object->written = true;
	object->sent_mtime = status.st_mtim;
	lane = hp_ordered_lane(engine, object, bytes_of(object, ranges, count, tail));
	buffer = malloc(HP_WRITE_CHUNK);
	for (unsigned i = 0; i < count; i++)
		send_range(engine, object, lane, ranges[i], buffer, HP_HOLES_STAY);
	for (unsigned i = 0; i < object->nshared; i++) {
		struct hp_range range = object->shared[i], changed;

		while (hp_mapped_changed(object, &range, &changed, buffer)) {
			send_range(engine, object, lane, changed, buffer, HP_HOLES_STAY);
			mapped = true;
		}
	}
	if (tail)
		send_tail(engine, object, lane, end, buffer);
	free(buffer);
	if (mapped && count == 0 && !tail && hp_mirror_touch(object->fd, &status))
		object->sent_mtime = status.st_mtim;
	if (count || tail || mapped)
		send_mtime(engine, object, lane, status.st_mtim);
}

static void collect(hp_engine *engine, struct hp_object *object, enum how how)
{
	hp_flush_hold(engine, object);
	if (object->file)
		collect_now(engine, object, how);
	hp_flush_let_go(engine, object);
}

void hp_flush_collect(hp_engine *engine, struct hp_object *object)
{
	collect(engine, object, AS_THEY_COME);
}

void hp_flush_last(hp_engine *engine, struct hp_object *object)
{
	collect(engine, object, LAST);
}

void hp_flush_dirty(hp_engine *engine)
{
	engine->bell_seen = __atomic_load_n(&engine->channel->dirty_bell, __ATOMIC_SEQ_CST);
	for (uint32_t n = 1; n < engine->files_end; n++)
		if (engine->files[n] && __atomic_load_n(&engine->channel->files[n].queued, __ATOMIC_SEQ_CST))
			hp_flush_collect(engine, engine->files[n]);
}

void hp_flush_all_of(hp_engine *engine, struct hp_object *object)
{
	uint8_t *buffer = malloc(HP_WRITE_CHUNK);
	struct stat status;

	hp_flush_hold(engine, object);
	if (buffer && object->fd >= 0 && fstat(object->fd, &status) == 0) {
		int lane = hp_ordered_lane(engine, object, (uint64_t)status.st_size);

		object->written = true;
		object->sent_mtime = status.st_mtim;
		send_range(engine, object, lane, (struct hp_range){ 0, (uint64_t)status.st_size }, buffer,
			   HP_HOLES_TRAVEL);
		send_mtime(engine, object, lane, status.st_mtim);
	}
	hp_flush_let_go(engine, object);
	free(buffer);
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
		hp_wire_kick(engine);
		pthread_mutex_unlock(&engine->lock);
	}
}
