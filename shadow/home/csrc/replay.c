/* The reply cache: what must not be done twice is answered from here when it is
 * asked for again after a broken connection. */
#include "internal.h"

#include <stdlib.h>

#define KEPT_MAX 65536u
#define KEPT_BYTES_MAX (64u << 20)
#define BUCKETS 16384u

struct hp_kept {
	struct hp_kept *chain, *newer;
	uint64_t id;
	uint8_t *reply; /* NULL: still being executed, on another connection's lane */
	size_t length;
};

int hp_replay_init(struct hp_replay *replay)
{
	replay->buckets = calloc(BUCKETS, sizeof(struct hp_kept *));
	pthread_mutex_init(&replay->lock, NULL);
	pthread_cond_init(&replay->done, NULL);
	return replay->buckets == NULL ? -ENOMEM : 0;
}

static struct hp_kept **slot_of(struct hp_replay *replay, uint64_t id)
{
	struct hp_kept **slot = &replay->buckets[id % BUCKETS];

	while (*slot != NULL && (*slot)->id != id)
		slot = &(*slot)->chain;
	return slot;
}

static void drop_oldest(struct hp_replay *replay)
{
	struct hp_kept *kept = replay->oldest;

	*slot_of(replay, kept->id) = kept->chain;
	replay->oldest = kept->newer;
	if (replay->oldest == NULL)
		replay->newest = NULL;
	replay->count--;
	replay->bytes -= kept->length;
	free(kept->reply);
	free(kept);
}

void hp_replay_free(struct hp_replay *replay)
{
	while (replay->oldest != NULL)
		drop_oldest(replay);
	free(replay->buckets);
	pthread_mutex_destroy(&replay->lock);
	pthread_cond_destroy(&replay->done);
}

enum hp_replay_state hp_replay_begin(hp_lane *lane, uint64_t id)
{
	struct hp_replay *replay = &lane->home->replay;
	enum hp_replay_state state = HP_REPLAY_NEW;
	struct hp_kept *kept, **slot;

	pthread_mutex_lock(&replay->lock);
	while ((kept = *slot_of(replay, id)) != NULL && kept->reply == NULL)
		pthread_cond_wait(&replay->done, &replay->lock);
	if (kept != NULL) {
		state = HP_REPLAY_KNOWN;
		if (hp_reply_room(&lane->reply, kept->length)) {
			memcpy(lane->reply.bytes + lane->reply.used, kept->reply, kept->length);
			lane->reply.used += kept->length;
		}
	} else if (id <= replay->acknowledged) {
		state = HP_REPLAY_OVER;
	} else {
		kept = calloc(1, sizeof(*kept));
		if (kept == NULL) {
			state = HP_REPLAY_NOMEM;
		} else {
			kept->id = id;
			slot = slot_of(replay, id);
			*slot = kept;
			*(replay->newest ? &replay->newest->newer : &replay->oldest) = kept;
			replay->newest = kept;
			replay->count++;
		}
	}
	pthread_mutex_unlock(&replay->lock);
	return state;
}

void hp_replay_keep(hp_lane *lane, uint64_t id, size_t reply_start)
{
	struct hp_replay *replay = &lane->home->replay;
	size_t length = lane->reply.used - reply_start;
	uint8_t *copy = malloc(length + 1);
	struct hp_kept *kept;

	if (copy == NULL || lane->reply.failed) {
		/* The session ends for want of memory: nobody will be told it was done. */
		lane->reply.failed = true;
		length = 0;
	} else {
		memcpy(copy, lane->reply.bytes + reply_start, length);
	}
	pthread_mutex_lock(&replay->lock);
	kept = *slot_of(replay, id);
	kept->reply = copy != NULL ? copy : calloc(1, 1);
	kept->length = length;
	replay->bytes += length;
	while (replay->oldest != kept && replay->oldest->reply != NULL &&
	       (replay->count > KEPT_MAX || replay->bytes > KEPT_BYTES_MAX))
		drop_oldest(replay);
	pthread_cond_broadcast(&replay->done);
	pthread_mutex_unlock(&replay->lock);
}

void hp_home_acknowledge(hp_home *home, uint64_t id)
{
	struct hp_replay *replay = &home->replay;

	pthread_mutex_lock(&replay->lock);
	if (id > replay->acknowledged)
		replay->acknowledged = id;
	while (replay->oldest != NULL && replay->oldest->id <= replay->acknowledged && replay->oldest->reply != NULL)
		drop_oldest(replay);
	pthread_mutex_unlock(&replay->lock);
}
