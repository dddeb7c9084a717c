/* Files made behind the job's back.
 *
 * What only home can know of a new file, its inode above all, has to be known before
 * the job may see the file. So home makes files without a name beforehand (O_TMPFILE),
 * in the directory and with the mode that the last ones were made with; making a file
 * then is giving one of them a name, and nobody waits for that. Only of what is opened
 * with O_TRUNC: whatever another may have made under the name at the same moment goes.
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include "internal.h"

#define FIRST_READY 16u
#define GROWTH 32u
#define SOON 8u /* round trips in which what was ready is used up */
#define MOST_READY 512u
#define MOST_POOLED 1024u /* in all directories */
#define LIST_AFTER_CREATES 2

struct ready {
	uint64_t handle;
	struct hpw_attr attr;
};

struct hp_pool {
	struct hp_pool *next;
	struct hp_object *directory;
	uint32_t mode;
	unsigned want, asked, count;
	uint64_t generation; /* answers to older requests are of no use */
	uint64_t asked_ns;
	bool refused; /* home's file system cannot */
	bool ran_dry; /* somebody waited for the last ones */
	struct ready *ready; /* room for `want`, while there was most of it */
	unsigned room;
};

static void empty(hp_engine *engine, struct hp_pool *pool)
{
	pool->generation++;
	pool->want = 0;
	engine->pooled -= pool->count;
	while (pool->count)
		hp_wire_close_handle(engine, pool->ready[--pool->count].handle);
}

static void apply_ready(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			const uint8_t *body, size_t length)
{
	struct hp_pool *pool = pending->context;
	const uint8_t *end = body + length;
	const struct hpw_entry *entry = reply->error || !body ? NULL : hp_wire_entry(&body, end);

	pool->asked--;
	if (entry && pool->generation == pending->generation && pool->count < pool->room) {
		pool->ready[pool->count++] = (struct ready){ pending->length, entry->attr };
		return;
	}
	engine->pooled--;
	if (entry)
		hp_wire_close_handle(engine, pending->length);
	if (reply->error == EOPNOTSUPP || reply->error == EISDIR || reply->error == EINVAL)
		pool->refused = true;
	for (struct hp_pool *each = engine->pools; reply->error == EMFILE && each; each = each->next)
		empty(engine, each); /* home's descriptors are for files that are used */
	if (reply->error)
		pool->want = 0; /* whoever makes a file now waits, and is told what is wrong */
}

static void ask(hp_engine *engine, struct hp_pool *pool, unsigned count)
{
	char *path = hp_object_path(pool->directory);

	while (path && count-- > 0) {
		struct hp_pending *pending = calloc(1, sizeof *pending);

		*pending = (struct hp_pending){ .apply = apply_ready,
						.context = pool,
						.detached = true,
						.length = ++engine->next_handle,
						.generation = pool->generation };
		pool->asked++;
		engine->pooled++;
		hp_wire_send(engine, HP_LANE_WAIT, pending,
			     &(struct hp_request){ .head = { .op = HPW_TMPFILE,
							     .handle = pending->length,
							     .mode = pool->mode,
							     .len1 = (uint32_t)strlen(path) },
						   .string1 = path });
		if (pending->done) {
			pool->asked--;
			engine->pooled--;
			free(pending);
			break;
		}
	}
	free(path);
}

void hp_pool_drop(hp_engine *engine, struct hp_object *directory)
{
	if (directory->pool)
		empty(engine, directory->pool);
}

static struct hp_pool *pool_of(hp_engine *engine, struct hp_object *directory, uint32_t mode)
{
	struct hp_pool *pool = directory->pool;

	if (!pool) {
		pool = calloc(1, sizeof *pool);
		pool->directory = directory;
		pool->mode = mode;
		pool->next = engine->pools;
		engine->pools = directory->pool = pool;
	}
	if (pool->mode != mode) {
		empty(engine, pool);
		pool->mode = mode;
	}
	return pool;
}

/* Many times as many if the last ones were used up soon: then more than are used in a round trip. */
static void refill(hp_engine *engine, struct hp_pool *pool)
{
	unsigned have = pool->count + pool->asked;
	uint64_t now_ns = hp_now_ns();

	if (pool->refused || have > pool->want / 2)
		return;
	if (!pool->want)
		pool->want = FIRST_READY;
	else if (pool->ran_dry || now_ns - pool->asked_ns < SOON * engine->trip_ns)
		pool->want *= GROWTH;
	pool->asked_ns = now_ns;
	pool->ran_dry = false;
	if (pool->want > MOST_READY)
		pool->want = MOST_READY;
	for (struct hp_pool *other = engine->pools; other && engine->pooled + pool->want > MOST_POOLED;
	     other = other->next)
		if (other != pool)
			empty(engine, other);
	if (pool->room < pool->want) {
		pool->ready = realloc(pool->ready, pool->want * sizeof *pool->ready);
		pool->room = pool->want;
	}
	ask(engine, pool, pool->want - have);
}

static bool is_absent(hp_engine *engine, const struct hp_where *where)
{
	struct hp_name *name = hp_tree_peek(engine, where->parent, where->last, where->last_length);

	return !name || (!name->object && !name->offer && !name->unknown && !name->doubtful);
}

static bool is_known_absent(hp_engine *engine, const struct hp_where *where)
{
	return hp_is_foreseeable(engine, where->parent) && is_absent(engine, where);
}

bool hp_create_behind(hp_engine *engine, const struct hp_where *where, int flags, uint32_t mode,
		      struct hp_object **object)
{
	struct hp_object *parent = where->parent;
	struct ready ready;
	struct hp_pool *pool;
	struct hp_name *name;
	char *path;

	if (!(parent->attr.sure & HPW_SURE_CHANGES) || mode & 07000)
		return false;
	pool = pool_of(engine, parent, mode);
	if (!parent->known && !parent->listed) {
		if (++parent->creates >= LIST_AFTER_CREATES)
			hp_list_behind(engine, parent); /* from then on home watches it, too */
		else
			hp_ahead_small(engine, parent, 0);
	}
	if (!is_known_absent(engine, where)) {
		refill(engine, pool); /* answered before this one: the next need not wait */
		return false;
	}
	pool->ran_dry |= pool->want && !pool->count;
	hp_wait_while(engine, &pool->asked, &pool->count);
	if (pool->mode != mode || !pool->count || !is_known_absent(engine, where)) {
		if (pool->mode == mode)
			refill(engine, pool);
		return false;
	}
	ready = pool->ready[--pool->count];
	engine->pooled--;
	ready.attr.nlink = 1;
	hp_touch(engine, &ready.attr, true);
	ready.attr.atime_s = ready.attr.mtime_s;
	ready.attr.atime_ns = ready.attr.mtime_ns;
	name = hp_tree_put(engine, parent, where->last, where->last_length);
	if (hp_mirror_make(engine, name, &ready.attr, "", 0)) {
		hp_wire_close_handle(engine, ready.handle);
		return false;
	}
	*object = name->object;
	(*object)->handle = ready.handle;
	(*object)->handle_writable = (*object)->own = true;
	path = hp_name_path(parent, where->last, where->last_length);
	hp_ordered_send(engine,
			&(struct hp_change){ .object = *object,
					     .parent = parent,
					     .last = where->last,
					     .length = where->last_length,
					     .verb = "creating",
					     .makes = true },
			&(struct hp_request){ .head = { .op = HPW_LINKFILE,
							.handle = ready.handle,
							.arg = (uint32_t)(flags & O_TRUNC ? O_TRUNC : O_CREAT),
							.len1 = (uint32_t)strlen(path),
							.len2 = sizeof ready.attr },
					      .string1 = path,
					      .string2 = &ready.attr });
	free(path);
	refill(engine, pool);
	return true;
}
