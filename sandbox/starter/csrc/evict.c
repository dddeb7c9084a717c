/* Making room in the mirror: what home has can be dropped and fetched again. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "mapped.h"

bool hp_stop_readers(struct hp_file *file)
{
	__atomic_store_n(&file->evicting, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 200; i++) {
		if (__atomic_load_n(&file->readers, __ATOMIC_SEQ_CST) == 0)
			return true;
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	__atomic_store_n(&file->evicting, 0, __ATOMIC_SEQ_CST); /* one of them was stopped or killed there: leave it */
	return false;
}

static uint64_t evict_blocks(hp_engine *engine, struct hp_object *object, uint64_t wanted)
{
	struct hp_file *file = &engine->channel->files[object->file];
	/* what a reader was given last stays: who copies it asks for room and then for it again */
	uint64_t keep_from = object->next_expected < HP_PIECE ? 0 : object->next_expected - HP_PIECE;
	uint64_t keep_to = object->next_expected + object->window + (1u << 20), freed = 0;
	struct stat before;
	bool was_steady;

	if (!object->handle || !hp_file_has_map(engine, object) || hp_file_has_dirty(engine, object) ||
	    !hp_mapped_over(object) || !hp_stop_readers(file))
		return 0;
	if (!hp_file_in_use(object->fd))
		keep_to = 0;
	was_steady = hp_mirror_unsteady(engine, object);
	if (fstat(object->fd, &before) == 0 && !hp_file_has_dirty(engine, object)) {
		for (uint64_t block = 0; block < object->blocks && freed < wanted; block++) {
			uint64_t start = block << HP_BLOCK_SHIFT;

			if (!hp_bit(object->present, block) || (start + HP_BLOCK > keep_from && start < keep_to))
				continue;
			hp_set_present(engine, object, block, false);
			if (fallocate(object->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start, HP_BLOCK)) {
				hp_set_present(engine, object, block, true);
				break;
			}
			freed += HP_BLOCK;
		}
		futimens(object->fd, (struct timespec[]){ { .tv_nsec = UTIME_OMIT }, before.st_mtim });
	}
	if (was_steady)
		hp_mirror_publish(engine, object);
	__atomic_store_n(&file->evicting, 0, __ATOMIC_SEQ_CST);
	return freed;
}

/* Small files that nobody has open become placeholders again. */
static uint64_t evict_whole(hp_engine *engine, uint64_t wanted)
{
	uint64_t freed = 0;

	for (unsigned bucket = 0; bucket < HP_BUCKETS && freed < wanted; bucket++)
		for (struct hp_object *object = engine->by_inode[bucket]; object; object = object->next_by_inode) {
			int fd;

			if (object->kind != HP_FILE_KIND || object->content != HP_CONTENT_WHOLE || object->file ||
			    !object->name || object->written || object->filling || object->attr.size == 0)
				continue;
			fd = hp_mirror_open(engine, object, O_RDWR);
			if (fd < 0)
				continue;
			if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) { /* an open of the job's waits until we close */
				object->content = HP_CONTENT_NONE;
				hp_mirror_permit(engine, object);
				hp_mirror_unsteady(engine, object);
				if (ftruncate(fd, 0) == 0)
					freed += object->attr.size;
				hp_mirror_set_times(object, fd, true);
				hp_mirror_publish(engine, object);
			}
			close(fd);
		}
	return freed;
}

bool hp_evict(hp_engine *engine, uint64_t bytes)
{
	uint64_t freed = 0, wanted = bytes < HP_EVICT_STEP ? HP_EVICT_STEP : bytes;
	bool forsaken = hp_files_forsake(engine);

	for (uint32_t n = 1; n < engine->files_end && freed < wanted; n++)
		if (engine->files[n] && engine->files[n]->content == HP_CONTENT_BLOCKS)
			freed += evict_blocks(engine, engine->files[n], wanted - freed);
	if (freed < bytes)
		freed += evict_whole(engine, wanted - freed);
	engine->stats.evicted_bytes += freed;
	return freed > 0 || forsaken;
}

/* Files the job wrote can be dropped block by block once home has them, if no
 * one could have opened them before they were numbered. Such files keep their
 * numbers, so there are no more of them than are needed: those of `least` bytes, until there are `enough`. */
static void written_to_blocks(hp_engine *engine, uint64_t least, uint64_t enough)
{
	for (uint32_t n = 1; n < engine->files_end && enough > 0; n++) {
		struct hp_object *object = engine->files[n];
		struct stat status;

		if (!object || object->content != HP_CONTENT_WHOLE || object->plain_seen || !object->handle ||
		    !(object->attr.access & 4) || object->orphan || object->error || hp_file_has_dirty(engine, object))
			continue;
		if (fstat(object->fd, &status) || (uint64_t)status.st_size < least || !hp_mapped_over(object) ||
		    hp_start_blocks(engine, object, (uint64_t)status.st_size, true))
			continue;
		enough -= (uint64_t)status.st_size < enough ? (uint64_t)status.st_size : enough;
	}
}

/* Growth of a file known by blocks: what the job appended and home has. */
static void extend_blocks(hp_engine *engine)
{
	for (uint32_t n = 1; n < engine->files_end; n++) {
		struct hp_object *object = engine->files[n];
		uint64_t blocks, old;
		struct stat status;

		if (!object || object->content != HP_CONTENT_BLOCKS || hp_file_has_dirty(engine, object) ||
		    fstat(object->fd, &status))
			continue;
		old = object->blocks;
		blocks = hp_blocks_of((uint64_t)status.st_size);
		if (blocks <= old)
			continue;
		object->present = realloc(object->present, blocks / 8 + 16);
		object->asked = realloc(object->asked, blocks / 8 + 16);
		for (uint64_t block = old; block < blocks; block++) {
			object->present[block / 8] |= (uint8_t)(1u << (block % 8));
			object->asked[block / 8] &= (uint8_t)~(1u << (block % 8));
		}
		object->blocks = blocks;
		hp_file_publish_map(engine, object);
	}
}

int hp_make_room(hp_engine *engine, uint64_t bytes)
{
	int error;

	if (hp_evict(engine, bytes))
		return 0;
	error = hp_flush_everything(engine);
	if (error)
		return error;
	written_to_blocks(engine, HP_EVICT_STEP, UINT64_MAX);
	extend_blocks(engine);
	if (hp_evict(engine, bytes))
		return 0;
	written_to_blocks(engine, HP_BLOCK, bytes < HP_EVICT_STEP ? HP_EVICT_STEP : bytes);
	return hp_evict(engine, bytes) ? 0 : -ENOSPC;
}
