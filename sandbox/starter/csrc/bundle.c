/* Programs with what they need, and the digest cache.
 *
 * Home answers the first exec of a program with everything the kernel and ld.so
 * will look for, and digests. What the sandbox has kept by digest is copied
 * into the mirror at once; the rest is fetched behind the program's start. The
 * cache directory is read here and written by the starter's Python side, which
 * checks the digest of each file it keeps (hp_engine_uncached).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "internal.h"

static void name_of(const uint8_t *digest, char name[65])
{
	for (int i = 0; i < 32; i++)
		snprintf(name + 2 * i, 3, "%02x", digest[i]);
}

static bool copy_from_cache(hp_engine *engine, struct hp_object *object, const uint8_t *digest)
{
	char name[65];
	int from, to;
	struct stat status;
	off_t done = 0;

	if (engine->config.cache_fd < 0)
		return false;
	name_of(digest, name);
	from = openat(engine->config.cache_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return false;
	to = fstat(from, &status) || (uint64_t)status.st_size != object->attr.size ?
		     -1 :
		     hp_mirror_open(engine, object, O_RDWR);
	while (to >= 0 && done < status.st_size)
		if (sendfile(to, from, &done, (size_t)(status.st_size - done)) <= 0)
			break;
	if (to >= 0 && done == status.st_size) {
		object->content = HP_CONTENT_WHOLE;
		hp_mirror_set_times(object, to, true);
		hp_mirror_permit(engine, object);
		hp_mirror_publish(engine, object);
		engine->stats.cache_hits++;
	} else if (to >= 0 && ftruncate(to, 0)) {
		done = -1;
	}
	close(from);
	if (to >= 0)
		close(to);
	return object->content == HP_CONTENT_WHOLE;
}

void hp_apply_bundle(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply, const uint8_t *body,
		     size_t length)
{
	const uint8_t *end = body + length;
	const struct hpw_entry *entry;

	(void)pending;
	(void)reply;
	while (body && (entry = hp_wire_entry(&body, end))) {
		struct hp_object *object = hp_apply_entry(engine, entry);
		const uint8_t *digest =
			(const uint8_t *)(entry + 1) + entry->path_len + entry->target_len + entry->content_len;

		if (!object || object->kind != HP_FILE_KIND || entry->digest_len != 32 || object->digest)
			continue;
		object->bundled = true; /* what it needs came along */
		if (entry->flags & HPW_E_TAKES_GS) {
			object->takes_gs = true;
			hp_mirror_publish(engine, object);
		}
		object->digest = malloc(32);
		memcpy(object->digest, digest, 32);
		object->next_with_digest = engine->with_digest;
		engine->with_digest = object;
		object->cached = object->content == HP_CONTENT_NONE && copy_from_cache(engine, object, digest);
	}
}

/* What came with bundles since `last` and is not in the cache is on its way from now on. */
void hp_bundle_fetch(hp_engine *engine, const struct hp_object *last)
{
	struct hp_object *newest = engine->with_digest;

	for (struct hp_object *object = newest; object && object != last; object = object->next_with_digest) {
		if (object->content != HP_CONTENT_NONE || object->filling || !(object->attr.access & 4) ||
		    !object->names)
			continue;
		object->filling = true;
		if (object->attr.size > HP_INLINE_LIMIT && hp_file_as_blocks(engine, object) == 0)
			hp_file_prefetch(engine, object);
		object->filling = false;
		pthread_cond_broadcast(&engine->changed);
	}
}

/* Asks once per program. Any failure is left to the ordinary faults. */
void hp_bundle(hp_engine *engine, struct hp_object *program)
{
	struct hp_pending pending = { .apply = hp_apply_bundle };
	struct hp_object *last = engine->with_digest;
	char *path;

	if (program->bundled || !(path = hp_object_path(program)))
		return;
	program->bundled = true;
	hp_remember(engine, 'B', path, strlen(path));
	hp_wire_call(
		engine, HP_LANE_WAIT, &pending,
		&(struct hp_request){ .head = { .op = HPW_BUNDLE, .len1 = (uint32_t)strlen(path) }, .string1 = path });
	free(path);
	hp_bundle_fetch(engine, last);
}

/* The next file worth keeping: 1 with its digest and a readable descriptor (the
 * caller's), 0 none left. */
int hp_engine_uncached(hp_engine *engine, uint8_t digest[32], int *fd)
{
	int found = 0;

	pthread_mutex_lock(&engine->lock);
	for (struct hp_object *object = engine->with_digest; object && !found; object = object->next_with_digest) {
		bool whole = object->content == HP_CONTENT_WHOLE;

		if (object->cached || object->written || object->opened_writable || !object->names)
			continue;
		if (object->content == HP_CONTENT_BLOCKS) {
			whole = true;
			for (uint64_t block = 0; block < object->blocks && whole; block++)
				whole = !hp_file_missing(object, block);
		}
		if (!whole)
			continue;
		object->cached = true;
		*fd = hp_mirror_open(engine, object, O_RDONLY);
		memcpy(digest, object->digest, 32);
		found = *fd >= 0;
	}
	pthread_mutex_unlock(&engine->lock);
	return found;
}
