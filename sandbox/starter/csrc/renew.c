/* A file that somebody else writes at home while the job has it open: what the
 * mirror holds of it goes, in place, so that open descriptors see the new
 * bytes. Where that cannot be (the job reads it without asking, or has mapped
 * it), the new bytes are fetched and written over the old ones.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "mapped.h"

#define FETCH_NOW (128u << 10) /* smaller files come at once: they are wanted */

/* Every reader consults the map first, so blocks may simply be taken away. */
bool hp_renewable(const struct hp_object *object)
{
	return object->kind == HP_FILE_KIND && object->file && object->fd >= 0 && object->handle &&
	       object->attr.access & 4 && object->content != HP_CONTENT_NONE && !object->plain_seen &&
	       !object->mapped && !object->orphan && !object->nameless;
}

bool hp_same_mtime(const struct hpw_attr *a, const struct hpw_attr *b)
{
	return a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns;
}

/* Home's size and times from now on. */
static void adopt(hp_engine *engine, struct hp_object *object, const struct hpw_attr *attr)
{
	hp_object_rehome(engine, object, attr);
	object->home_size = object->append_from = object->append_sure = object->append_noted = attr->size;
	object->mixed = false;
	object->deferred = (struct hp_range){ 0 };
	hp_mirror_set_times(object, object->fd, true);
	object->sent_mtime = object->local_mtime;
	hp_mirror_publish(engine, object);
}

/* False: the job writes to it at this moment, or one of its readers stays. */
bool hp_renew(hp_engine *engine, struct hp_object *object, const struct hpw_attr *attr)
{
	struct hp_file *file = &engine->channel->files[object->file];
	bool done = false;

	struct stat status;

	if (!hp_renewable(object) || fstat(object->fd, &status))
		return false;
	if (object->content == HP_CONTENT_WHOLE && /* only then does a writer look before it writes */
	    hp_start_blocks(engine, object, (uint64_t)status.st_size, true))
		return false;
	if (!hp_stop_readers(file))
		return false;
	hp_mirror_unsteady(engine, object);
	if (!hp_file_has_dirty(engine, object) && ftruncate(object->fd, 0) == 0 &&
	    ftruncate(object->fd, (off_t)attr->size) == 0) {
		free(object->present);
		free(object->asked);
		object->present = object->asked = NULL;
		object->generation++;
		done = hp_start_blocks(engine, object, attr->size, false) == 0;
		adopt(engine, object, attr);
	}
	hp_mirror_publish(engine, object);
	__atomic_store_n(&file->evicting, 0, __ATOMIC_SEQ_CST);
	if (done && attr->size <= FETCH_NOW)
		hp_file_prefetch(engine, object);
	return done;
}

static int fetch_piece(hp_engine *engine, struct hp_object *object, uint64_t offset, struct hp_pending *pending)
{
	*pending = (struct hp_pending){ .apply = hp_apply_data };
	return -hp_wire_call(engine, HP_LANE_WAIT, pending,
			     &(struct hp_request){ .head = { .op = HPW_READ,
							     .handle = object->handle,
							     .offset = offset,
							     .length = HPW_MAX_READ } });
}

/* No byte is taken away before the new one is there: a plain reader never sees
 * zeros that home does not have. Nor is anything sent meanwhile: behind a new end
 * in the middle of a block are old bytes. */
static int write_over(hp_engine *engine, struct hp_object *object, const struct hpw_attr *attr, uint64_t from)
{
	uint64_t at = from & ~(uint64_t)(HP_BLOCK - 1), got;
	int error = hp_file_open_home(engine, object, O_RDONLY);
	int fd = error ? -1 : hp_mirror_open(engine, object, O_RDWR);

	if (fd < 0)
		return error ? error : fd;
	hp_flush_hold(engine, object);
	hp_file_outdate(engine, object, from, UINT64_MAX);
	do {
		struct hp_pending pending;

		error = fetch_piece(engine, object, at, &pending);
		got = error ? 0 : pending.data_length;
		while (!error && got && pwrite(fd, pending.data, got, (off_t)at) != (ssize_t)got)
			if (!hp_evict(engine, HP_EVICT_STEP))
				error = -ENOSPC;
		if (!error)
			hp_mapped_fetched(object, at, pending.data, got);
		for (uint64_t block = at >> HP_BLOCK_SHIFT;
		     !error && object->content == HP_CONTENT_BLOCKS && block < hp_blocks_of(at + got); block++)
			if (block < object->blocks)
				hp_set_present(engine, object, block, true);
		at += got;
		free(pending.data);
	} while (!error && got == HPW_MAX_READ);
	if (!error && ftruncate(fd, (off_t)at))
		error = -errno;
	if (!error) {
		struct hpw_attr now = *attr;

		now.size = at;
		hp_object_rehome(engine, object, &now);
		object->home_size = object->append_from = object->append_sure = at;
		object->mixed = false;
		hp_mirror_set_times(object, fd, true);
		object->sent_mtime = object->local_mtime;
		hp_mirror_publish(engine, object);
	}
	hp_flush_let_go(engine, object);
	close(fd);
	return error;
}

/* Home's bytes from `from` on in place of the mirror's, whatever the times say. */
static int replace(hp_engine *engine, struct hp_object *object, const struct hpw_attr *attr, uint64_t from)
{
	for (int round = 0; round < 20 && hp_renewable(object); round++) {
		int error;

		if (hp_renew(engine, object, attr))
			return 0;
		error = hp_flush_object(engine, object);
		if (error)
			return error;
	}
	return object->attr.access & 4 ? write_over(engine, object, attr, from) : 0;
}

/* Home has changed the content from there on at the job's wish, and its attributes are known. */
int hp_refetch(hp_engine *engine, struct hp_object *object, uint64_t from)
{
	struct hpw_attr attr = object->attr;

	return replace(engine, object, &attr, from);
}

/* The job has just got a lock that others may have had: `attr` is what home
 * says since. Nothing of the job's is on its way. */
int hp_revalidate(hp_engine *engine, struct hp_object *object, const struct hpw_attr *attr)
{
	if (object->kind != HP_FILE_KIND || attr->ino != object->attr.ino || attr->dev != object->attr.dev)
		return 0;
	if (hp_same_mtime(&object->attr, attr) && !object->mixed)
		return 0;
	if (object->content == HP_CONTENT_NONE) {
		hp_refresh(engine, object, attr);
		return 0;
	}
	return replace(engine, object, attr, 0);
}
