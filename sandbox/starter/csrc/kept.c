/* Blocks of large files that a former run has left on this machine.
 *
 * Their bytes lie sealed, and Python has the key: it takes a question here (hp_engine_kept_next),
 * which blocks of a file there are or some of their bytes, and answers it. What says that home's
 * file is still the same is what says so to close-to-open caches: inode, size, mtime and ctime, as
 * home told them when the file was opened. Where blocks are missing or damaged home is asked, as if
 * there were none.
 *
 * Of a file that the job may write nothing is taken: what comes back after an eviction is home's.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "internal.h"

#define AT_ONCE ((1u << 20) >> HP_BLOCK_SHIFT)
#define SETTLED_NS 2000000000ll /* changed so lately, it could change again without its times showing it */
#define FAR_NS 400000u /* nearer ones are quicker than a disk */

struct hp_kept_ask {
	struct hp_kept_ask *next;
	struct hp_object *object;
	uint64_t first, count, generation; /* count 0: which are there? */
};

bool hp_kept_has(const hp_engine *engine, const struct hp_object *object, uint64_t block)
{
	return engine->kept.serves && object->kept && object->kept_generation == object->generation &&
	       !object->opened_writable && !object->written && block < object->blocks && hp_bit(object->kept, block);
}

static void ask(hp_engine *engine, struct hp_object *object, uint64_t first, uint64_t count, bool now)
{
	struct hp_kept_ask *new = malloc(sizeof *new), **end = &engine->kept.asks;

	while (*end && !now)
		end = &(*end)->next;
	*new = (struct hp_kept_ask){ *end, object, first, count, object->generation };
	*end = new;
	pthread_cond_signal(&engine->kept.asked);
}

void hp_kept_look(hp_engine *engine, struct hp_object *object)
{
	if (!engine->kept.serves || object->kept || object->kept_asked || object->digest || engine->failed)
		return;
	object->kept_asked = true;
	ask(engine, object, 0, 0, true);
	while (object->kept_asked && !engine->failed)
		pthread_cond_wait(&engine->changed, &engine->lock);
}

void hp_kept_read(hp_engine *engine, struct hp_object *object, uint64_t first, uint64_t count, bool now)
{
	while (count > 0) {
		uint64_t part = count < AT_ONCE ? count : AT_ONCE;

		for (uint64_t block = first; block < first + part; block++)
			object->asked[block / 8] |= (uint8_t)(1u << (block % 8));
		ask(engine, object, first, part, now);
		first += part;
		count -= part;
	}
}

static void know(struct hp_object *object, const struct hp_kept_ask *asked, const uint8_t *bytes, size_t length)
{
	object->kept_asked = false;
	if (asked->generation != object->generation || object->content != HP_CONTENT_BLOCKS ||
	    length < (object->blocks + 7) / 8 || object->kept)
		return;
	object->kept = malloc(length);
	memcpy(object->kept, bytes, length);
	object->kept_generation = object->generation;
}

static void take(hp_engine *engine, const struct hp_kept_ask *asked, const uint8_t *bytes, size_t length)
{
	struct hp_object *object = asked->object;
	uint64_t offset = asked->first << HP_BLOCK_SHIFT, wanted = asked->count << HP_BLOCK_SHIFT;

	if (asked->generation != object->generation || object->content != HP_CONTENT_BLOCKS)
		return;
	if (wanted > object->attr.size - offset)
		wanted = object->attr.size - offset;
	if (length != wanted || !hp_kept_has(engine, object, asked->first)) { /* then home has them */
		free(object->kept);
		object->kept = NULL;
		hp_file_forget_asked(object, asked->first, asked->count);
		return;
	}
	hp_file_take(engine, object, asked->first, asked->count, bytes, length, 0);
}

static void answer(hp_engine *engine, struct hp_kept_ask *asked, const uint8_t *bytes, size_t length)
{
	if (asked->count)
		take(engine, asked, bytes, length);
	else
		know(asked->object, asked, bytes, length);
	free(asked);
	pthread_cond_broadcast(&engine->changed);
}

static void describe(struct hp_kept_file *file, const struct hp_object *object, const char *path)
{
	const struct hpw_attr *attr = &object->attr;

	*file = (struct hp_kept_file){
		.dev = attr->dev,
		.ino = attr->ino,
		.size = attr->size,
		.mtime_s = attr->mtime_s,
		.ctime_s = attr->ctime_s,
		.mtime_ns = attr->mtime_ns,
		.ctime_ns = attr->ctime_ns,
		.blocks = object->blocks,
	};
	snprintf(file->path, sizeof file->path, "%s", path);
}

void hp_engine_kept_begin(hp_engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	engine->kept.serves = true;
	pthread_mutex_unlock(&engine->lock);
}

/* Nobody answers any more. */
static void end(hp_engine *engine)
{
	struct hp_kept_ask *asked;

	engine->kept.serves = false;
	pthread_cond_signal(&engine->worker_left);
	while ((asked = engine->kept.asks)) {
		engine->kept.asks = asked->next;
		answer(engine, asked, NULL, 0);
	}
}

void hp_engine_kept_end(hp_engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	end(engine);
	pthread_mutex_unlock(&engine->lock);
}

int hp_engine_kept_next(hp_engine *engine, struct hp_kept_question *question, int timeout_ms)
{
	struct hp_kept *kept = &engine->kept;
	struct timespec until;
	int result = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	pthread_mutex_lock(&engine->lock);
	while (!kept->asks && !engine->stopping)
		if (pthread_cond_timedwait(&kept->asked, &engine->lock, &until) == ETIMEDOUT)
			break;
	if (engine->stopping) {
		end(engine);
		result = -1;
	}
	while (kept->asks && !result) {
		struct hp_kept_ask *asked = kept->asks;
		char *path = hp_object_path(asked->object);

		kept->asks = asked->next;
		if (!path || strlen(path) >= sizeof question->file.path) {
			answer(engine, asked, NULL, 0);
		} else {
			describe(&question->file, asked->object, path);
			question->id = (uintptr_t)asked;
			question->first = asked->first;
			question->count = asked->count;
			result = 1;
		}
		free(path);
	}
	pthread_mutex_unlock(&engine->lock);
	return result;
}

void hp_engine_kept_answer(hp_engine *engine, uint64_t id, const uint8_t *bytes, size_t length)
{
	pthread_mutex_lock(&engine->lock);
	answer(engine, (struct hp_kept_ask *)(uintptr_t)id, bytes, length);
	pthread_mutex_unlock(&engine->lock);
}

static bool is_settled(const hp_engine *engine, const struct hpw_attr *attr)
{
	struct timespec now;
	int64_t home;

	clock_gettime(CLOCK_REALTIME, &now);
	home = now.tv_sec * 1000000000ll + now.tv_nsec + engine->config.clock_offset_ns;
	return home - (attr->ctime_s * 1000000000ll + attr->ctime_ns) > SETTLED_NS &&
	       home - (attr->mtime_s * 1000000000ll + attr->mtime_ns) > SETTLED_NS;
}

static bool is_worth_it(const hp_engine *engine, const struct hp_object *object)
{
	return object->kind == HP_FILE_KIND && object->content == HP_CONTENT_BLOCKS && object->name &&
	       object->fd >= 0 && object->attr.access & 4 && !object->written && !object->opened_writable &&
	       !object->digest && !object->orphan && !object->behind && is_settled(engine, &object->attr);
}

/* The job is over. `present`: a bit a block; as many bytes of it as there is room for. */
int hp_engine_keepable(hp_engine *engine, struct hp_kept_file *file, uint8_t *present, size_t room, int *fd)
{
	int found = 0;

	pthread_mutex_lock(&engine->lock);
	for (uint32_t n = 1; n < engine->files_end && !found && engine->trip_ns > FAR_NS; n++) {
		struct hp_object *object = engine->files[n];
		char *path;

		if (!object || object->kept_over || !is_worth_it(engine, object))
			continue;
		object->kept_over = true;
		path = hp_object_path(object);
		if (path && strlen(path) < sizeof file->path && (object->blocks + 7) / 8 <= room) {
			describe(file, object, path);
			memcpy(present, object->present, (object->blocks + 7) / 8);
			*fd = hp_mirror_open(engine, object, O_RDONLY);
			found = *fd >= 0;
		}
		free(path);
	}
	pthread_mutex_unlock(&engine->lock);
	return found;
}
