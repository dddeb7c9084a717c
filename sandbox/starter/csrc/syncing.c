/* fsync by external synchrony (Nightingale et al., "Rethink the Sync"): the job goes on at
 * once, and whatever others can see of it waits until home has made durable what the job
 * believes to be.
 *
 * Home is told to fsync in the lane of what the job waits for, behind the file's bytes; those that went with the
 * bulk are waited for there. What the job does to files, names and locks afterwards comes behind it there, so others at home
 * see nothing too early. What leaves the job on another way asks hp_engine_await_synced first:
 * its output. Sockets that lead out of the machine cannot be held back like that: a job with a
 * network waits at each fsync, and so does one that was asked to.
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include "internal.h"

static void apply_synced(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	(void)body;
	(void)length;
	hp_written_answered(engine, pending, reply);
}

/* Of a directory that went from home meanwhile nothing is to last. */
static void apply_names_synced(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			       const uint8_t *body, size_t length)
{
	struct hpw_reply said = *reply;

	if (said.error == EBADF)
		said.error = 0;
	apply_synced(engine, pending, &said, body, length);
}

/* All that was written to it is at home or on its way in that lane. False: what is told there would not wait for it. */
static bool is_in_order(hp_engine *engine, struct hp_object *object)
{
	hp_flush_collect(engine, object);
	return !object->bulk && !object->collecting && !hp_flush_deferred(object);
}

/* A directory's names, by a description that is home's for as long as that takes. What was done to them is in front in
 * this lane. */
static void sync_names(hp_engine *engine, struct hp_object *directory)
{
	struct hp_request sync = { .head = { .op = HPW_FSYNC } };
	char *path;

	if (directory->names_synced == engine->names_altered + 1)
		return; /* nothing was done to names since */
	path = hp_object_path(directory);
	if (!path)
		return; /* it was removed: nothing of it is to last */
	sync.head.handle = ++engine->next_handle;
	hp_ordered_tell(engine, &(struct hp_request){ .head = { .op = HPW_OPEN,
								.handle = sync.head.handle,
								.arg = O_RDONLY | O_DIRECTORY,
								.len1 = (uint32_t)strlen(path) },
						      .string1 = path });
	hp_written_send(engine, directory, HP_LANE_WAIT, apply_names_synced, &sync);
	hp_ordered_tell(engine, &(struct hp_request){ .head = { .op = HPW_CLOSE, .handle = sync.head.handle } });
	directory->names_synced = engine->names_altered + 1;
	directory->names_synced_by = engine->ordered_sent;
	free(path);
}

static int sync_directory(hp_engine *engine, struct hp_object *object, bool waits)
{
	sync_names(engine, object);
	if (waits)
		hp_wait_count(engine, &engine->ordered_done, object->names_synced_by, HP_WAIT_SYNC);
	else
		engine->ordered_synced = engine->ordered_sent;
	return -object->error;
}

/* Who waits for a new file and then for its directory waits once: what he did before he will do again. */
static void sync_names_too(hp_engine *engine, const struct hp_object *file)
{
	struct hp_object *directory = file->name ? file->name->parent : NULL;

	if (directory && directory->names_synced)
		sync_names(engine, directory);
}

int hp_sync(hp_engine *engine, struct hp_object *object)
{
	const struct hp_request sync = { .head = { .op = HPW_FSYNC, .handle = object->handle } };
	bool waits = engine->config.strict || engine->config.network, in_order;
	struct hp_pending pending = { 0 };
	int error = 0;

	if (object->kind == HP_DIR)
		return sync_directory(engine, object, waits);
	if (!object->handle_writable)
		return 0;
	in_order = is_in_order(engine, object);
	if (in_order && !waits) {
		hp_written_send(engine, object, HP_LANE_WAIT, apply_synced, &sync);
		engine->ordered_synced = engine->ordered_sent;
		return object->orphan ? 0 : -object->error;
	}
	if (in_order)
		sync_names_too(engine, object);
	if (!in_order && (hp_flush_deferred(object) || (object->in_flight && !object->bulk)))
		error = hp_flush_object(engine, object);
	if (!error)
		error = -hp_wire_call(engine, in_order ? HP_LANE_WAIT : HP_LANE_BULK, &pending, &sync);
	return error ? error : object->orphan ? 0 : -object->error;
}

void hp_engine_await_synced(hp_engine *engine)
{
	uint64_t until;

	pthread_mutex_lock(&engine->lock);
	until = engine->ordered_synced;
	if (engine->ordered_done < until)
		hp_wire_kick(engine);
	while (engine->ordered_done < until && !engine->failed)
		pthread_cond_wait(&engine->changed, &engine->lock);
	pthread_mutex_unlock(&engine->lock);
}
