/* What a reader of a file of blocks will want next: in sequence, at equal distances, all of it.
 *
 * Judged by the reads that asked; those of what was there are not seen.
 */
#define _GNU_SOURCE
#include "readahead.h"

#define WINDOW_FIRST (512u << 10)
#define STRIDES_FIRST 4u
#define PIECE (HPW_MAX_READ >> HP_BLOCK_SHIFT)
#define NEAR_NS 150000u
#define EAGER 6u

/* Whether all that is left is the better guess than waiting for single pieces: far from home, where link and
 * processors are idle while the job waits, once a sixth as long was spent on these as all of it takes. Near, where
 * bringing all of it takes the processors that answer the waits, once as long was. `patience`: times that. */
static bool all_is_better(const hp_engine *engine, const struct hp_object *object, unsigned patience)
{
	uint64_t left_ns = hp_transfer_ns(engine, (object->blocks - object->stream_at) << HP_BLOCK_SHIFT);
	uint64_t spent_ns = object->strays * (engine->trip_ns + hp_transfer_ns(engine, HP_BLOCK));
	uint64_t eager = engine->trip_ns / NEAR_NS;

	eager = eager < 1 ? 1 : eager > EAGER ? EAGER : eager;
	return left_ns <= (eager * spent_ns + 2 * engine->trip_ns) * patience;
}

/* All of a file, a bounded part of it at a time: each piece that comes asks for more, and shows how fast
 * the link is. On a slow one it ends there. */
void hp_stream_on(hp_engine *engine, struct hp_object *object)
{
	uint64_t most = hp_unasked_most(engine) >> HP_BLOCK_SHIFT, end;

	object->streaming = object->stream_at < object->blocks && all_is_better(engine, object, 2);
	if (!object->streaming)
		return;
	while (object->stream_done < object->stream_at &&
	       (hp_bit(object->present, object->stream_done) || !hp_bit(object->asked, object->stream_done)))
		object->stream_done++;
	object->stream_window += PIECE;
	if (object->stream_window > most)
		object->stream_window = most;
	end = object->stream_done + object->stream_window;
	if (end <= object->stream_at)
		return;
	hp_file_request(engine, object, object->stream_at, end, HP_LANE_BULK);
	object->stream_at = end < object->blocks ? end : object->blocks;
}

/* Reads here and there. */
static void consider_all_of_it(hp_engine *engine, struct hp_object *object)
{
	if (object->streaming || object->stream_at >= object->blocks ||
	    object->attr.size > engine->config.mirror_bytes / 8)
		return;
	object->strays++;
	if (all_is_better(engine, object, 1))
		hp_stream_on(engine, object);
}

/* All of it, behind what the job waits for. */
void hp_file_prefetch(hp_engine *engine, struct hp_object *object)
{
	if (object->content == HP_CONTENT_BLOCKS && object->attr.size < engine->config.mirror_bytes / 8)
		hp_file_request(engine, object, 0, object->blocks, HP_LANE_BULK);
}

/* In large pieces: only when half of what was asked for has been read, the
 * window is filled up again. */
static void read_sequence(hp_engine *engine, struct hp_object *object, uint64_t end)
{
	uint64_t window = object->window >> HP_BLOCK_SHIFT;

	if (object->ahead_to > end + window || object->ahead_to < end)
		object->ahead_to = end; /* the reader is somewhere else */
	if (object->ahead_to - end > window / 2)
		return;
	hp_file_request(engine, object, object->ahead_to, end + window, HP_LANE_BULK);
	object->ahead_to = end + window;
}

/* What lies between where the reader was last seen and the end of what was
 * read ahead, he has read without a question. */
static bool is_sequential(const struct hp_object *object, uint64_t offset, uint64_t length)
{
	uint64_t ahead = object->window ? object->ahead_to << HP_BLOCK_SHIFT : 0;

	return offset <= (object->next_expected > ahead ? object->next_expected : ahead) &&
	       offset + length + HP_BLOCK > object->next_expected;
}

/* At equal distances, forwards or backwards: from the third read on, the places that come next, twice as many each time
 * that all foretold ones were right. */
static bool is_strided(struct hp_object *object, uint64_t offset)
{
	struct hp_stride *stride = &object->stride;
	int64_t step = (int64_t)(offset - stride->from), places = stride->ahead ? step / stride->step : 0;

	if (places > 0 && (uint64_t)places <= stride->ahead + 1 && places * stride->step == step) {
		if ((uint64_t)places > stride->ahead) /* else one that was foretold is still on its way */
			stride->ahead *= 2;
	} else if (step != 0 && step == stride->step) {
		stride->ahead = STRIDES_FIRST;
	} else {
		*stride = (struct hp_stride){ .step = step };
	}
	stride->from = offset;
	return stride->ahead != 0;
}

static void read_strides(hp_engine *engine, struct hp_object *object, uint64_t length)
{
	struct hp_stride *stride = &object->stride;
	uint64_t size = object->blocks << HP_BLOCK_SHIFT, most = hp_unasked_most(engine) / 2 / (length + HP_BLOCK);
	uint64_t at = stride->from;

	if (stride->ahead > most)
		stride->ahead = most;
	for (uint64_t i = 0; i < stride->ahead; i++) {
		at += (uint64_t)stride->step; /* wraps below 0: beyond the end too */
		if (at >= size)
			break;
		hp_file_request(engine, object, at >> HP_BLOCK_SHIFT, hp_blocks_of(at + length), HP_LANE_BULK);
	}
}

/* The job asks for [offset, offset + length): how it seems to read. */
void hp_read_seen(hp_engine *engine, struct hp_object *object, uint64_t offset, uint64_t length)
{
	if (is_sequential(object, offset, length)) {
		object->window = object->window ? object->window * 2 : WINDOW_FIRST;
		if (object->window > hp_unasked_most(engine))
			object->window = hp_unasked_most(engine);
		if (object->window > engine->config.mirror_bytes / 8)
			object->window = engine->config.mirror_bytes / 8;
		object->stride.ahead = 0;
	} else {
		object->window = 0;
		if (!is_strided(object, offset))
			consider_all_of_it(engine, object);
	}
	object->next_expected = offset + length;
}

/* Behind the request for what is asked for, `length` bytes up to block `end`: what comes next. */
void hp_read_ahead(hp_engine *engine, struct hp_object *object, uint64_t end, uint64_t length)
{
	if (object->window)
		read_sequence(engine, object, end);
	else if (object->stride.ahead)
		read_strides(engine, object, length);
}
