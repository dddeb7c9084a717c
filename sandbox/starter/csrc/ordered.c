/* Changes that nobody waits for: on their way, and what their answers mean.
 *
 * They travel in the lane of what the job waits for, which home executes in order:
 * so every question asked after a change is answered after it, and whatever is said
 * of a file or name before its last change is answered is of an earlier moment and
 * not taken (`behind`). Small writes take the same lane: a file's creation, content,
 * attributes and renaming arrive in the order in which the job made them. Large ones
 * take the bulk lane, and a file has something on its way in one lane at a time only.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <time.h>

#include "internal.h"

struct on_its_way {
	struct hp_change change;
	char text[]; /* change.last, then change.from */
};

/* The first is told in words; each in its file's next write, fsync or close. Takes `path`. */
void hp_ordered_lost(hp_engine *engine, struct hp_object *object, int error, const char *verb, char *path)
{
	if (object && !object->error)
		object->error = error;
	if (object && object->file)
		engine->channel->files[object->file].error = error;
	if (!engine->first_error) {
		engine->first_error = error;
		snprintf(engine->lost, sizeof engine->lost, "%s %s: %s", verb, path ? path : "a file", strerror(error));
	}
	free(path);
}

/* What home says of a file after the last of our changes. Its ctime alone we could not
 * foresee to the nanosecond: the one that was shown stays until the next change. */
static void learn(hp_engine *engine, struct hp_object *object, const struct hpw_entry *entry)
{
	const struct hpw_attr *attr = &entry->attr;
	struct hpw_attr shown = object->attr;
	struct stat status;

	if (object->behind || object->orphan || hp_kind_of(attr->mode) != object->kind)
		return;
	if (object->kind != HP_FILE_KIND || attr->ino != shown.ino || attr->dev != shown.dev) {
		hp_refresh(engine, object, attr);
		return;
	}
	if (hp_file_has_dirty(engine, object) || !hp_same_mtime(attr, &shown))
		return;
	if (object->fd >= 0 && (fstat(object->fd, &status) || (uint64_t)status.st_size != attr->size))
		return;
	hp_refresh(engine, object, attr);
	object->attr.ctime_s = shown.ctime_s;
	object->attr.ctime_ns = shown.ctime_ns;
	object->home_ctime_s = attr->ctime_s;
	object->home_ctime_ns = attr->ctime_ns;
	object->foretold = true;
	hp_mirror_publish(engine, object);
}

/* The lanes' answers overtake each other: the question may have been executed before what
 * has gone in the bulk lane since. */
bool hp_is_older(const hp_engine *engine, const struct hp_object *object)
{
	return object->bulk || engine->answering <= object->bulk_answered;
}

static void ask_doubtful_names(hp_engine *engine, struct hp_object *object)
{
	struct hp_name *next;

	for (struct hp_name *name = object->name; name; name = next) {
		next = name->next_of_object;
		if (name->doubtful && !name->behind)
			hp_ask_doubtful(engine, name);
	}
}

static void not_made(hp_engine *engine, struct hp_name *name)
{
	struct hp_object *object = name->object;

	if (object)
		object->orphan = true; /* who has it open goes on, and hears of it */
	hp_forget_name(engine, name);
}

static void answered(hp_engine *engine, struct hp_name *name)
{
	if (name && name->behind)
		name->behind--;
	if (name && !name->behind && name->doubtful)
		hp_ask_doubtful(engine, name);
}

static void apply_change(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	struct on_its_way *way = pending->context;
	struct hp_change *change = &way->change;
	struct hp_object *object = change->object, *parent = change->parent;
	struct hp_name *name = parent ? hp_tree_peek(engine, parent, way->text, change->length) : NULL;
	struct hp_name *former =
		change->from ? hp_tree_peek(engine, parent, way->text + change->length, change->from_length) : NULL;
	const uint8_t *end = body + length;
	const struct hpw_entry *entry;

	engine->ordered_done++;
	if (object) {
		object->behind--;
		object->in_flight--;
	}
	if (parent)
		parent->naming--;
	if (reply->error && reply->error != change->forgives) {
		hp_ordered_lost(engine, object, reply->error, change->verb,
				parent ? hp_name_path(parent, way->text, change->length) : hp_object_path(object));
		if (change->makes && name && name->behind <= 1 && name->object == object)
			not_made(engine, name);
		if (former && former->behind <= 1 && !former->object)
			hp_forget_name(engine, former);
	}
	while (!reply->error && body && (entry = hp_wire_entry(&body, end)))
		if (entry->flags & HPW_E_PARENT)
			hp_apply_entry(engine, entry);
		else if (object)
			learn(engine, object, entry);
	if (parent)
		hp_mirror_publish(engine, parent);
	if (object && object->kind == HP_DIR)
		hp_mirror_publish(engine, object);
	answered(engine, name);
	answered(engine, former);
	if (object && !object->in_flight) {
		ask_doubtful_names(engine, object);
		hp_file_forsake(engine, object);
	}
	free(way);
	pthread_cond_broadcast(&engine->changed);
}

/* Its times change with its names; its size does so too unless it is counted in blocks. */
static void foretell(const hp_engine *engine, struct hp_object *directory)
{
	directory->foretold =
		directory->attr.size && directory->attr.size % 4096 == 0 && (directory->foretold || !directory->naming);
	directory->awaiting = directory->foretold;
	if (directory->foretold)
		hp_touch(engine, &directory->attr, true);
}

/* The object itself: by handle if there is one to write by, else by name, in this lane both arrive in order. */
static char *address(const struct hp_object *object, struct hp_request *request)
{
	char *path = object->handle_writable ? NULL : hp_object_path(object);

	if (path) {
		request->head.flags |= HPW_NOFOLLOW;
		request->head.len1 = (uint32_t)strlen(path);
		request->string1 = path;
	} else {
		request->head.handle = object->handle;
	}
	return path;
}

static void sent(struct hp_name *name)
{
	if (name)
		name->behind++;
}

void hp_ordered_send(hp_engine *engine, const struct hp_change *change, const struct hp_request *request)
{
	struct hp_pending *pending = calloc(1, sizeof *pending);
	struct on_its_way *way = malloc(sizeof *way + change->length + change->from_length);
	struct hp_request lazy = *request;
	char *path = lazy.string1 || lazy.head.handle ? NULL : address(change->object, &lazy);

	way->change = *change;
	if (change->length)
		memcpy(way->text, change->last, change->length);
	if (change->from_length)
		memcpy(way->text + change->length, change->from, change->from_length);
	*pending = (struct hp_pending){ .apply = apply_change, .context = way, .detached = true };
	if (change->object) {
		change->object->behind++;
		change->object->in_flight++;
	}
	if (change->parent) {
		foretell(engine, change->parent);
		change->parent->naming++;
		sent(hp_tree_peek(engine, change->parent, change->last, change->length));
		if (change->from)
			sent(hp_tree_peek(engine, change->parent, change->from, change->from_length));
		hp_mirror_publish(engine, change->parent);
	}
	engine->ordered_sent++;
	lazy.lazy = true;
	hp_wire_send(engine, HP_LANE_WAIT, pending, &lazy);
	free(path);
	if (pending->done) { /* the link is gone */
		struct hpw_reply reply = { .error = pending->error };

		apply_change(engine, pending, &reply, NULL, 0);
		free(pending);
	}
}

void hp_wire_kick(hp_engine *engine)
{
	if (engine->lazy)
		pthread_cond_signal(&engine->out[HP_LANE_WAIT].filled);
	engine->lazy = false;
}

bool hp_wire_rests(hp_engine *engine, bool lazy)
{
	if (lazy && !engine->lazy)
		hp_flush_ring(engine);
	engine->lazy = lazy;
	return lazy;
}

void hp_wait_while(hp_engine *engine, const unsigned *asked, const unsigned *got)
{
	uint64_t before_ns = hp_now_ns();

	if (!*asked || *got || engine->failed)
		return;
	hp_wire_kick(engine);
	while (*asked && !*got && !engine->failed)
		pthread_cond_wait(&engine->changed, &engine->lock);
	hp_waited(engine, before_ns, HP_WAIT_CHANGES, 0);
}

/* Home answers a lane in order, so counting is enough. */
void hp_wait_count(hp_engine *engine, const uint64_t *done, uint64_t until, int kind)
{
	uint64_t before_ns = hp_now_ns();

	if (*done >= until || engine->failed)
		return;
	hp_wire_kick(engine);
	while (*done < until && !engine->failed)
		pthread_cond_wait(&engine->changed, &engine->lock);
	hp_waited(engine, before_ns, kind, 0);
}

void hp_ordered_wait(hp_engine *engine)
{
	hp_wait_count(engine, &engine->ordered_done, engine->ordered_sent, HP_WAIT_SYNC);
}

static void apply_told(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
		       const uint8_t *body, size_t length)
{
	(void)pending;
	(void)reply;
	(void)body;
	(void)length;
	engine->ordered_done++;
}

/* Nobody waits: what the job asks for next is executed afterwards. */
void hp_ordered_tell(hp_engine *engine, const struct hp_request *request)
{
	struct hp_pending *pending = calloc(1, sizeof *pending);

	*pending = (struct hp_pending){ .apply = apply_told, .detached = true };
	engine->ordered_sent++;
	hp_wire_send(engine, HP_LANE_WAIT, pending, request);
	if (pending->done) {
		engine->ordered_done++;
		free(pending);
	}
}

/* What is done to a name may tell somebody that something is finished, or give a lock
 * back: home has what was written before. Before `resolving`, since the lock may be given up. */
void hp_written_first(hp_engine *engine, bool bulk)
{
	if (__atomic_load_n(&engine->channel->dirty_bell, __ATOMIC_SEQ_CST) != engine->bell_seen)
		hp_flush_dirty(engine);
	if (bulk)
		hp_wait_count(engine, &engine->bulk_done, engine->bulk_sent, HP_WAIT_SYNC);
}

/* Which lane the next `bytes` of a file take. In one of them nothing may be on its way
 * when the other is begun. */
int hp_ordered_lane(hp_engine *engine, struct hp_object *object, uint64_t bytes)
{
	for (;;) {
		if (object->bulk || (!object->in_flight && bytes > HP_ORDERED_MOST))
			return HP_LANE_BULK;
		if (engine->failed || (bytes <= HP_ORDERED_MOST && engine->ordered_bytes < HP_ORDERED_BYTES))
			return HP_LANE_WAIT;
		hp_wire_kick(engine);
		pthread_cond_wait(&engine->changed, &engine->lock);
	}
}

/* In front of it in this lane, or at home already. */
void hp_ordered_first(hp_engine *engine, struct hp_object *object)
{
	hp_flush_collect(engine, object);
	while ((object->bulk || object->collecting || hp_flush_deferred(object)) && !engine->failed)
		hp_flush_object(engine, object);
}

void hp_written_send(hp_engine *engine, struct hp_object *object, int lane, hp_apply apply,
		     const struct hp_request *request)
{
	struct hp_request lazy = *request;
	struct hp_pending *pending = calloc(1, sizeof *pending);

	if (request->head.len1)
		hp_carried(engine, object, 0, request->head.len1);
	*pending = (struct hp_pending){
		.apply = apply,
		.context = object,
		.detached = true,
		.offset = request->head.offset,
		.length = request->head.len1,
	};
	object->in_flight++;
	engine->bytes_in_flight += pending->length;
	if (lane == HP_LANE_BULK) {
		object->bulk++;
		engine->bulk_sent++;
	} else {
		engine->ordered_bytes += pending->length;
		engine->ordered_sent++;
	}
	lazy.lazy = true;
	hp_wire_send(engine, lane, pending, &lazy);
	if (pending->done) {
		struct hpw_reply reply = { .error = pending->error };

		apply(engine, pending, &reply, NULL, 0);
		free(pending);
	}
}

void hp_written_answered(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply)
{
	struct hp_object *object = pending->context;

	object->in_flight--;
	engine->bytes_in_flight -= pending->length;
	if (pending->lane == HP_LANE_BULK) {
		object->bulk--;
		object->bulk_answered = engine->next_id;
		engine->bulk_done++;
	} else {
		engine->ordered_bytes -= pending->length;
		engine->ordered_done++;
	}
	if (reply->error && !object->orphan && (pending->op == HPW_WRITE || pending->op == HPW_FSYNC))
		hp_ordered_lost(engine, object, reply->error, pending->op == HPW_WRITE ? "writing" : "syncing",
				hp_object_path(object));
	if (!object->in_flight) {
		ask_doubtful_names(engine, object);
		hp_file_forsake(engine, object);
	}
	pthread_cond_broadcast(&engine->changed);
}
