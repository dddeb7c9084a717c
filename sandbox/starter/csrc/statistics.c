/* statfs(2). Who goes through directories (find, grep -r: fts) looks at their file system once, to know
 * its kind: so the question travels with the first listing, and what comes is the answer for a moment.
 */
#include "internal.h"

#define GOOD_NS 1000000000ull /* room changes */

static void apply_ahead(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			const uint8_t *body, size_t length)
{
	struct hp_statistics *statistics = &engine->statistics;
	const struct hp_object *directory = pending->context;

	statistics->asked = false;
	pthread_cond_broadcast(&engine->changed); /* who waits asks himself, if this was nothing */
	if (reply->error || !body || reply->count != HP_STATFS_BYTES || length < HP_STATFS_BYTES)
		return;
	memcpy(statistics->bytes, body, HP_STATFS_BYTES);
	statistics->dev = directory->attr.dev;
	statistics->came_ns = hp_now_ns();
}

static bool is_good(const struct hp_statistics *statistics, const struct hp_object *object)
{
	return statistics->came_ns && statistics->dev == object->attr.dev &&
	       hp_now_ns() - statistics->came_ns < GOOD_NS;
}

static void send(hp_engine *engine, struct hp_pending *pending, const char *path)
{
	hp_wire_send(
		engine, HP_LANE_WAIT, pending,
		&(struct hp_request){ .head = { .op = HPW_STATFS, .len1 = (uint32_t)strlen(path) }, .string1 = path });
}

/* Nobody waits. */
void hp_statistics_ahead(hp_engine *engine, struct hp_object *directory)
{
	struct hp_pending *pending;
	char *path;

	if (engine->statistics.asked || engine->statistics.came_ns || !(path = hp_object_path(directory)))
		return;
	pending = calloc(1, sizeof *pending);
	*pending = (struct hp_pending){ .apply = apply_ahead, .context = directory, .detached = true };
	engine->statistics.asked = true;
	send(engine, pending, path);
	free(path);
	if (pending->done) { /* the link is gone */
		engine->statistics.asked = false;
		free(pending);
	}
}

static void await_answer(hp_engine *engine)
{
	uint64_t before_ns = hp_now_ns();

	if (!engine->statistics.asked)
		return;
	while (engine->statistics.asked && !engine->failed)
		pthread_cond_wait(&engine->changed, &engine->lock);
	hp_waited(engine, before_ns, HP_WAIT_ATTRIBUTES, 0);
}

/* The next run asks for it while its program is started. */
static void remember(hp_engine *engine, const char *path)
{
	if (!engine->statistics.used)
		hp_remember(engine, 'S', path, strlen(path));
	engine->statistics.used = true;
}

int64_t hp_do_statistics(hp_engine *engine, struct hp_object *object, struct hp_slot *slot)
{
	struct hp_pending pending = { .apply = hp_apply_data };
	char *path = hp_object_path(object);
	int error;

	if (!path)
		path = strdup("/");
	remember(engine, path);
	await_answer(engine);
	if (is_good(&engine->statistics, object)) {
		free(path);
		slot->reply_len = HP_STATFS_BYTES;
		memcpy(slot->data, engine->statistics.bytes, HP_STATFS_BYTES);
		return HP_STATFS_BYTES;
	}
	send(engine, &pending, path);
	error = hp_wire_wait(engine, &pending);
	free(path);
	slot->reply_len = pending.data_length < HP_SLOT_DATA ? (uint32_t)pending.data_length : HP_SLOT_DATA;
	if (!error && slot->reply_len)
		memcpy(slot->data, pending.data, slot->reply_len);
	free(pending.data);
	return error ? -error : (int64_t)slot->reply_len;
}
