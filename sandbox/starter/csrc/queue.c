/* Requests on their way out: a queue for each lane, and what goes first in the bulk lane.
 */
#define _GNU_SOURCE
#include <time.h>

#include "internal.h"

/* `bytes` NULL: zeros. */
void hp_queue_put(struct hp_queue *queue, const void *bytes, size_t length)
{
	if (queue->start > (1u << 20) && queue->start > queue->length / 2) {
		memmove(queue->bytes, queue->bytes + queue->start, queue->length - queue->start);
		queue->length -= queue->start;
		queue->start = 0;
	}
	if (queue->length + length > queue->room) {
		queue->room = (queue->length + length) * 2 + 4096;
		queue->bytes = realloc(queue->bytes, queue->room);
	}
	if (bytes)
		memcpy(queue->bytes + queue->length, bytes, length);
	else
		memset(queue->bytes + queue->length, 0, length);
	queue->length += length;
}

/* Whole records, as many as there is room for. */
static size_t take(struct hp_queue *queue, uint8_t *buffer, size_t room, size_t before)
{
	size_t taken = 0;

	while (queue->start + taken < queue->length) {
		uint32_t size = ((const struct hpw_request *)(queue->bytes + queue->start + taken))->size;

		if (taken + size > room || (before + taken > 0 && before + taken + size > HP_MESSAGE_LIMIT))
			break;
		taken += size;
	}
	if (taken)
		memcpy(buffer, queue->bytes + queue->start, taken);
	queue->start += taken;
	if (queue->start == queue->length)
		queue->start = queue->length = 0;
	return taken;
}

/* In the bulk lane what is wanted goes before what is written: whatever was written and is not at home yet is
 * in the mirror (hp_file_has_dirty), so nobody asks for it. */
long hp_engine_next(hp_engine *engine, int lane, uint8_t *buffer, size_t room, int timeout_ms)
{
	struct hp_queue *queue = &engine->out[lane], *first = lane == HP_LANE_BULK ? &engine->reads : queue;
	struct timespec until;
	size_t taken = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (timeout_ms % 1000) * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&engine->lock);
	while (queue->length == queue->start && first->length == first->start && !engine->stopping && !queue->nudged)
		if (pthread_cond_timedwait(&queue->filled, &engine->lock, &until) == ETIMEDOUT)
			break;
	queue->nudged = false;
	if (first != queue)
		taken = take(first, buffer, room, 0);
	taken += take(queue, buffer + taken, room - taken, taken);
	pthread_mutex_unlock(&engine->lock);
	return taken == 0 && engine->stopping ? -1 : (long)taken;
}

/* Who waits for a request has something else to do. */
void hp_engine_nudge(hp_engine *engine, int lane)
{
	pthread_mutex_lock(&engine->lock);
	engine->out[lane].nudged = true;
	pthread_cond_signal(&engine->out[lane].filled);
	pthread_mutex_unlock(&engine->lock);
}
