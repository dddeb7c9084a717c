/* Requests to home and what their replies do.
 *
 * Owns the table of what is pending, and the parsing of replies: every length is
 * checked here, so that what follows can trust it. Leaves the queues to queue.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

static bool alters_names(const struct hpw_request *head)
{
	return (head->op >= HPW_MKDIR && head->op <= HPW_MKNOD) || head->op == HPW_LINKFILE ||
	       (head->op == HPW_OPEN && head->arg & O_CREAT);
}

/* Numbers and queues a request. `pending` must live until it is done. */
void hp_wire_send(hp_engine *engine, int lane, struct hp_pending *pending, const struct hp_request *request)
{
	struct hpw_request head = request->head;
	struct hp_queue *queue = lane == HP_LANE_BULK && head.op == HPW_READ ? &engine->reads : &engine->out[lane];
	size_t length = sizeof head + head.len1 + head.len2;

	head.size = (uint32_t)HPW_ALIGN(length);
	head.id = ++engine->next_id;
	pending->id = head.id;
	pending->op = head.op;
	pending->flags = head.flags;
	pending->lane = lane;
	pending->sent_ns = hp_now_ns();
	pending->in_before = engine->stats.bytes_in;
	if (engine->failed) {
		pending->error = engine->failed;
		pending->done = true;
		return;
	}
	pending->next = engine->pending[head.id % 1024];
	engine->pending[head.id % 1024] = pending;
	hp_queue_put(queue, &head, sizeof head);
	hp_queue_put(queue, request->string1, head.len1);
	hp_queue_put(queue, request->string2, head.len2);
	hp_queue_put(queue, NULL, head.size - length);
	engine->stats.bytes_out += head.size;
	engine->stats.operations++;
	engine->names_altered += alters_names(&head);
	if (lane != HP_LANE_WAIT || !hp_wire_rests(engine, request->lazy))
		pthread_cond_signal(&engine->out[lane].filled);
}

int hp_wire_wait(hp_engine *engine, struct hp_pending *pending)
{
	uint64_t before_ns;

	if (pending->done)
		return pending->error;
	before_ns = hp_now_ns();
	while (!pending->done)
		pthread_cond_wait(&engine->changed, &engine->lock);
	hp_waited(engine, before_ns, hp_wait_kind_of(pending), pending->came);
	return pending->error;
}

void hp_wire_await_filled(hp_engine *engine, struct hp_object *object)
{
	int kind = object->kind == HP_DIR ? HP_WAIT_LISTINGS : HP_WAIT_CONTENT;
	uint64_t before_ns;

	if (!object->filling)
		return;
	before_ns = hp_now_ns();
	while (object->filling)
		pthread_cond_wait(&engine->changed, &engine->lock);
	hp_waited(engine, before_ns, kind, 0);
}

int hp_wire_call(hp_engine *engine, int lane, struct hp_pending *pending, const struct hp_request *request)
{
	hp_wire_send(engine, lane, pending, request);
	return hp_wire_wait(engine, pending);
}

/* The least of late: a slow answer says little, a quick one much. */
static void note_trip(hp_engine *engine, const struct hp_pending *pending)
{
	uint64_t took_ns = hp_now_ns() - pending->sent_ns, known_ns = engine->trip_ns;

	if (pending->lane == HP_LANE_WAIT && (pending->op == HPW_RESOLVE || pending->op == HPW_READ))
		engine->trip_ns = known_ns == 0 || took_ns < known_ns ? took_ns : known_ns + (took_ns - known_ns) / 64;
}

static void finish(hp_engine *engine, struct hp_pending *pending, int error)
{
	struct hp_pending **link = &engine->pending[pending->id % 1024];

	while (*link != pending)
		link = &(*link)->next;
	*link = pending->next;
	note_trip(engine, pending);
	pending->error = error;
	pending->done = true;
	pthread_cond_broadcast(&engine->changed);
	if (pending->detached)
		free(pending);
}

void hp_wire_fail_all(hp_engine *engine)
{
	for (unsigned i = 0; i < 1024; i++)
		while (engine->pending[i]) {
			struct hp_pending *pending = engine->pending[i];
			struct hpw_reply reply = { .op = pending->op, .error = engine->failed };

			if (pending->apply && pending->detached)
				pending->apply(engine, pending, &reply, NULL, 0);
			finish(engine, pending, engine->failed);
		}
}

void hp_wire_close_handle(hp_engine *engine, uint64_t handle)
{
	struct hp_pending *pending = calloc(1, sizeof *pending);

	pending->detached = true;
	hp_wire_send(engine, HP_LANE_BULK, pending,
		     &(struct hp_request){ .head = { .op = HPW_CLOSE, .handle = handle } });
	if (pending->done)
		free(pending);
}

/* The entry at the cursor, or NULL if there is none or it is malformed. */
const struct hpw_entry *hp_wire_entry(const uint8_t **cursor, const uint8_t *end)
{
	const struct hpw_entry *entry = (const void *)*cursor;
	uint64_t strings;

	if (*cursor == end || (size_t)(end - *cursor) < sizeof *entry)
		return NULL;
	strings = (uint64_t)entry->path_len + entry->target_len + entry->content_len + entry->digest_len;
	if (entry->size % 8 || entry->size > (size_t)(end - *cursor) || strings > entry->size - sizeof *entry ||
	    entry->size < sizeof *entry)
		return NULL;
	*cursor += entry->size;
	return entry;
}

static const char *entry_path(const struct hpw_entry *entry)
{
	return (const char *)(entry + 1);
}

/* The tree's name for a canonical path; its parents are known, since home
 * sends a walk from the root. NULL: a stranger's answer, ignore it. */
static struct hp_name *name_for(hp_engine *engine, const char *path, size_t length)
{
	struct hp_object *directory = engine->root;
	const char *end = path + length;

	while (path < end && *path == '/')
		path++;
	for (;;) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t part = slash ? (size_t)(slash - path) : (size_t)(end - path);
		struct hp_name *name;

		if (part == 0 || part > 255 || (part == 1 && path[0] == '.') ||
		    (part == 2 && path[0] == '.' && path[1] == '.'))
			return NULL;
		if (!slash)
			return hp_tree_put(engine, directory, path, part);
		name = hp_tree_find(engine, directory, path, part);
		if (!name || !name->object || name->object->kind != HP_DIR)
			return NULL;
		directory = name->object;
		path = slash + 1;
	}
}

/* Made in the mirror, if it was only offered. NULL: the mirror has nothing of its directory. */
struct hp_name *hp_name_by_path(hp_engine *engine, const char *path)
{
	struct hp_name *name = name_for(engine, path, strlen(path));

	if (name && name->offer)
		hp_tree_accept(engine, name);
	return name;
}

static bool same_thing(const struct hp_object *object, const struct hpw_entry *entry)
{
	if (object->attr.ino == 0 && object->kind == HP_DIR)
		return hp_kind_of(entry->attr.mode) == HP_DIR;
	return object->kind == hp_kind_of(entry->attr.mode) && object->attr.ino == entry->attr.ino &&
	       object->attr.dev == entry->attr.dev;
}

/* Content that we hold and the job has not touched is out of date: who has it
 * open keeps it, the name gets a new inode. */
static bool changed_at_home(const hp_engine *engine, const struct hp_object *object, const struct hpw_entry *entry)
{
	bool ours = object->written || object->opened_writable;

	if (object->kind != HP_FILE_KIND || object->content == HP_CONTENT_NONE)
		return false;
	if (ours && (object->orphan || hp_file_has_dirty(engine, object) || hp_is_older(engine, object)))
		return false;
	return !hp_same_mtime(&object->attr, &entry->attr) || (!ours && object->attr.size != entry->attr.size);
}

/* Newer attributes for a file the mirror has. What the job has written and home
 * not yet seen wins. */
void hp_refresh(hp_engine *engine, struct hp_object *object, const struct hpw_attr *attr)
{
	bool permit = object->attr.access != attr->access;
	struct hpw_attr now = *attr;

	hp_extended_forget(object);
	if (object->local || object->behind) /* what the job has changed is newer than any answer */
		return;
	if (object->kind == HP_FILE_KIND && object->written && (object->in_flight || hp_is_older(engine, object))) {
		const struct hpw_attr *ours = &object->attr;

		now.size = ours->size;
		now.blocks = ours->blocks;
		now.mtime_s = ours->mtime_s;
		now.mtime_ns = ours->mtime_ns;
		if (now.ctime_s < ours->ctime_s || (now.ctime_s == ours->ctime_s && now.ctime_ns < ours->ctime_ns)) {
			now.ctime_s = ours->ctime_s;
			now.ctime_ns = ours->ctime_ns;
		}
	}
	hp_object_rehome(engine, object, &now);
	if (object->kind == HP_FILE_KIND && object->content == HP_CONTENT_NONE)
		object->home_size = attr->size;
	if (permit)
		hp_mirror_permit(engine, object);
	hp_mirror_publish(engine, object);
}

/* What home says of one name: made, refreshed, replaced or dropped. */
static struct hp_object *apply_name(hp_engine *engine, struct hp_name *name, const struct hpw_entry *entry, bool offer)
{
	const char *strings = entry_path(entry) + entry->path_len;
	struct hp_object *object = name->object;

	if ((object && object->local) || name->behind)
		return object;
	name->unknown = false;
	hp_tree_withdraw(name);
	if (entry->flags & HPW_E_ABSENT) {
		if (object && !(object->file && hp_file_has_dirty(engine, object)))
			hp_mirror_drop(engine, name);
		return NULL;
	}
	if (object && same_thing(object, entry) && changed_at_home(engine, object, entry) &&
	    hp_renew(engine, object, &entry->attr))
		return object;
	if (object && (!same_thing(object, entry) || changed_at_home(engine, object, entry))) {
		hp_mirror_drop(engine, name);
		object = NULL;
	}
	if (!object && entry->target_len == 0 && hp_kind_of(entry->attr.mode) == HP_SYMLINK) {
		hp_forget_name(engine, name); /* another link, and not its text: its attributes alone were asked for */
		return NULL;
	}
	if (!object && offer && !(entry->flags & HPW_E_CONTENT)) {
		hp_tree_offer(name, &entry->attr, strings, entry->target_len);
		return NULL;
	}
	if (object && object->written && hp_is_older(engine, object) && !hp_same_mtime(&object->attr, &entry->attr)) {
		if (object->in_flight)
			name->doubtful = true;
		else
			hp_ask_doubtful(engine, name);
	}
	if (object)
		hp_refresh(engine, object, &entry->attr);
	else if (hp_mirror_make(engine, name, &entry->attr, strings, entry->target_len))
		return NULL;
	object = name->object;
	if (entry->flags & HPW_E_CONTENT && object->kind == HP_FILE_KIND && object->content == HP_CONTENT_NONE &&
	    !object->file && entry->content_len == entry->attr.size) {
		object->unasked |= engine->unasked;
		engine->contents_came +=
			hp_mirror_fill_whole(engine, object, (const uint8_t *)strings + entry->target_len,
					     entry->content_len) == 0;
	}
	return object;
}

struct hp_object *hp_apply_entry(hp_engine *engine, const struct hpw_entry *entry)
{
	struct hp_name *name;

	if (entry->path_len == 1 && entry_path(entry)[0] == '/') {
		hp_refresh(engine, engine->root, &entry->attr);
		return engine->root;
	}
	name = name_for(engine, entry_path(entry), entry->path_len);
	return name ? apply_name(engine, name, entry, false) : NULL;
}

/* LIST: the entry's path is a bare name in `directory`. */
void hp_apply_child(hp_engine *engine, struct hp_object *directory, const struct hpw_entry *entry)
{
	const char *text = entry_path(entry);

	if (entry->path_len > 255 || memchr(text, '/', entry->path_len) || (entry->path_len == 1 && text[0] == '.') ||
	    (entry->path_len == 2 && text[0] == '.' && text[1] == '.'))
		return;
	apply_name(engine, hp_tree_put(engine, directory, text, entry->path_len), entry, !directory->listed);
}

void hp_apply_entries(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply, const uint8_t *body,
		      size_t length)
{
	const uint8_t *end = body + length;
	const struct hpw_entry *entry;

	(void)pending;
	(void)reply;
	while (body && (entry = hp_wire_entry(&body, end)))
		hp_apply_entry(engine, entry);
}

void hp_apply_data(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply, const uint8_t *body,
		   size_t length)
{
	size_t count = reply->count < length ? reply->count : length;

	(void)engine;
	if (!body || count == 0)
		return;
	pending->data = realloc(pending->data, pending->data_length + count);
	memcpy(pending->data + pending->data_length, body, count);
	pending->data_length += count;
}

static struct hp_pending *find_pending(hp_engine *engine, uint64_t id)
{
	for (struct hp_pending *pending = engine->pending[id % 1024]; pending; pending = pending->next)
		if (pending->id == id)
			return pending;
	return NULL;
}

int hp_engine_feed(hp_engine *engine, int lane, const uint8_t *bytes, size_t length)
{
	int result = 0;

	pthread_mutex_lock(&engine->lock);
	engine->stats.bytes_in += length;
	while (length > 0) {
		const struct hpw_reply *reply = (const void *)bytes;
		struct hp_pending *pending;

		if (length < sizeof *reply || reply->size < sizeof *reply || reply->size % 8 || reply->size > length) {
			result = -1;
			break;
		}
		if (reply->id == 0 && reply->op == HPW_CHANGED && lane == HP_LANE_WAIT)
			hp_apply_changes(engine, (const uint8_t *)(reply + 1), reply->size - sizeof *reply);
		if (reply->id == 0 && reply->op == HPW_RECALL && lane == HP_LANE_WAIT)
			hp_apply_recall(engine, (const uint8_t *)(reply + 1), reply->size - sizeof *reply);
		engine->answering = reply->id;
		pending = find_pending(engine, reply->id);
		if (pending && pending->lane == lane) {
			pending->came += reply->size;
			if (!(reply->flags & HPW_MORE))
				hp_speed_note(engine, pending);
			if (pending->apply)
				pending->apply(engine, pending, reply, (const uint8_t *)(reply + 1),
					       reply->size - sizeof *reply);
			if (!(reply->flags & HPW_MORE))
				finish(engine, pending, reply->error);
		}
		bytes += reply->size;
		length -= reply->size;
	}
	pthread_mutex_unlock(&engine->lock);
	return result;
}
