/* Content of regular files: small ones whole, with those beside them that will
 * be wanted next, large ones by blocks.
 */
#define _GNU_SOURCE
#include "internal.h"

#define BESIDE_AFTER 2   /* small files read from a directory before others come along */
#define BESIDE_MOST 256u /* files that come along at once, as a guess */
#define BESIDE_ALL 4096u
#define BESIDE_LEAST (64u << 10)
#define BESIDE_BYTES (16u << 10) /* for each file that may come along, taken together */

static void ask_for_content(hp_engine *engine, struct hp_pending *pending, const char *path)
{
	hp_wire_send(engine, HP_LANE_WAIT, pending,
		     &(struct hp_request){ .head = { .op = HPW_RESOLVE,
						     .flags = HPW_NOFOLLOW | HPW_CONTENT,
						     .length = HP_INLINE_LIMIT,
						     .len1 = (uint32_t)strlen(path) },
					   .string1 = path });
}

static void apply_beside(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	struct hp_object *object = pending->context;

	hp_apply_entries(engine, pending, reply, body, length);
	if (!(reply->flags & HPW_MORE))
		object->filling = false;
}

/* The farther home, the larger is what still counts as small. */
uint32_t hp_beside_limit(const hp_engine *engine)
{
	uint64_t bytes = hp_bytes_in(engine, engine->trip_ns) / 16;

	return bytes < BESIDE_LEAST ? BESIDE_LEAST : bytes > HP_INLINE_LIMIT ? HP_INLINE_LIMIT : (uint32_t)bytes;
}

/* Asks for one more file's content; nobody waits. Its bytes, 0: not wanted. */
static uint64_t ask_beside(hp_engine *engine, struct hp_name *name)
{
	const struct hpw_attr *attr = name->offer ? &name->offer->attr : name->object ? &name->object->attr : NULL;
	struct hp_pending *pending;
	struct hp_object *object;
	char *path;

	if (!attr || hp_kind_of(attr->mode) != HP_FILE_KIND || attr->size == 0 ||
	    attr->size > hp_beside_limit(engine) || !(attr->access & 4) ||
	    (name->object && (name->object->content != HP_CONTENT_NONE || name->object->filling)))
		return 0;
	if (name->offer && hp_tree_accept(engine, name))
		return 0;
	object = name->object;
	if (object->content != HP_CONTENT_NONE || object->filling) /* by another name */
		return 0;
	pending = calloc(1, sizeof *pending);
	*pending = (struct hp_pending){ .apply = apply_beside, .context = object, .detached = true };
	path = hp_name_path(name->parent, name->text, name->length);
	object->filling = object->unasked = true;
	ask_for_content(engine, pending, path);
	free(path);
	if (pending->done) { /* the link is gone */
		object->filling = false;
		free(pending);
	}
	return object->attr.size;
}

/* The small files of a directory that are not here yet. */
static uint64_t bytes_left(const hp_engine *engine, const struct hp_object *directory)
{
	uint64_t bytes = 0, limit = hp_beside_limit(engine);

	for (const struct hp_name *name = directory->children; name; name = name->next_in_parent)
		if (name->offer && name->offer->attr.size <= limit)
			bytes += name->offer->attr.size;
		else if (name->object && name->object->content == HP_CONTENT_NONE && name->object->attr.size <= limit)
			bytes += name->object->attr.size;
	return bytes;
}

/* One more wait costs more than all of them. */
static bool all_is_cheap(const hp_engine *engine, const struct hp_object *directory)
{
	return directory->known && hp_transfer_ns(engine, bytes_left(engine, directory)) * 4 <= engine->trip_ns;
}

/* Who reads one small file after another from a directory reads more of them:
 * twice as many each time, from both sides of where he is; all of them when
 * that takes no longer than he has waited for single ones. */
static void ask_neighbours(hp_engine *engine, struct hp_name *name)
{
	struct hp_object *directory = name->parent;
	struct hp_name *next = name->next_in_parent, *previous = name->previous_in_parent;
	uint64_t bytes = 0, most;
	unsigned count = 0;

	if (engine->failed || (++directory->small_reads < BESIDE_AFTER && !all_is_cheap(engine, directory)))
		return;
	if (!directory->beside && hp_ahead_reads(engine, directory))
		directory->beside = BESIDE_MOST;
	directory->beside = directory->beside ? directory->beside * 2 : 4;
	if (directory->beside > BESIDE_MOST)
		directory->beside = BESIDE_MOST;
	most = (uint64_t)directory->beside * BESIDE_BYTES;
	if (directory->known &&
	    hp_transfer_ns(engine, bytes_left(engine, directory)) <= directory->small_reads * engine->trip_ns) {
		directory->beside = BESIDE_ALL;
		most = UINT64_MAX;
	}
	while ((next || previous) && count < directory->beside && bytes < most) {
		uint64_t one = next ? ask_beside(engine, next) : 0, other = previous ? ask_beside(engine, previous) : 0;

		count += (one > 0) + (other > 0);
		bytes += one + other;
		next = next ? next->next_in_parent : NULL;
		previous = previous ? previous->previous_in_parent : NULL;
	}
}

static int have_small(hp_engine *engine, struct hp_object *object)
{
	struct hp_pending pending = { .apply = hp_apply_entries };
	char *path = hp_object_path(object);
	int error;

	if (!path)
		return -ESTALE;
	hp_remember(engine, 'C', path, strlen(path));
	object->unasked = false;
	ask_for_content(engine, &pending, path);
	free(path);
	if (object->name)
		ask_neighbours(engine, object->name);
	error = -hp_wire_wait(engine, &pending);
	if (!error && object->content == HP_CONTENT_NONE && object->attr.size <= HP_INLINE_LIMIT)
		error = object->name ? hp_make_room(engine, object->attr.size) : -ESTALE;
	return error;
}

/* Loaded by ld.so or dlopen; a wrong guess costs a question. */
static bool looks_like_library(const struct hp_object *object)
{
	return object->name && memmem(object->name->text, object->name->length, ".so", 3) != NULL;
}

int hp_have_content(hp_engine *engine, struct hp_object *object)
{
	while (object->kind == HP_FILE_KIND && object->content == HP_CONTENT_NONE) {
		int error = 0;

		if (object->filling) {
			hp_wire_await_filled(engine, object);
			continue;
		}
		if (hp_await_recall(engine)) /* it may be on its way, or kept */
			continue;
		if (!(object->attr.access & 4))
			return -EACCES;
		object->filling = true;
		if (object->attr.size <= HP_INLINE_LIMIT) {
			error = have_small(engine, object);
		} else {
			if (looks_like_library(object))
				hp_bundle(engine, object); /* with its digest: the sandbox may have it */
			if (object->content == HP_CONTENT_NONE)
				error = hp_file_as_blocks(engine, object);
		}
		object->filling = false;
		pthread_cond_broadcast(&engine->changed);
		if (error)
			return error;
	}
	if (object->content == HP_CONTENT_WHOLE && !object->file)
		object->plain_seen = true;
	return object->kind == HP_OTHER ? -ENXIO : 0;
}
