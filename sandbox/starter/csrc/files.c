/* Files that need care while open: numbers in shared memory, handles at home. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "mapped.h"

#define LOOK_AFTER 64u /* files numbered between two looks for those that are gone */

/* A write lease says so (fcntl(2), F_SETLEASE). */
bool hp_file_in_use(int fd)
{
	int other = fcntl(fd, F_SETLEASE, F_WRLCK);

	if (other == 0)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	return other != 0;
}

bool hp_file_has_dirty(const hp_engine *engine, const struct hp_object *object)
{
	const struct hp_file *file = &engine->channel->files[object->file];

	for (unsigned i = 0; i < HP_EXTENTS; i++)
		if (file->dirty[i].low != file->dirty[i].high)
			return true;
	return object->in_flight > 0 || object->collecting || object->deferred.low < object->deferred.high;
}

void hp_file_release(hp_engine *engine, struct hp_object *object)
{
	struct hp_file *file = &engine->channel->files[object->file];

	if (object->file == 0)
		return;
	memset(file, 0, sizeof *file);
	engine->files[object->file] = NULL;
	object->file = 0;
	close(object->fd);
	object->fd = -1;
	if (object->handle && !hp_lock_uses(object)) /* else it is left to the end, as locks' own are */
		hp_wire_close_handle(engine, object->handle);
	object->handle = 0;
	object->handle_writable = object->opened_writable = object->appends = false;
	if (object->content == HP_CONTENT_BLOCKS) {
		object->content = HP_CONTENT_NONE;
		free(object->present);
		free(object->asked);
		object->present = object->asked = NULL;
		object->blocks = 0;
	}
	if (object->names)
		hp_mirror_permit(engine, object);
	hp_mirror_publish(engine, object);
}

/* Numbers of files that are clean and open nowhere become free. Files known by
 * blocks are left, or what was fetched would be fetched again. */
static bool collect_numbers(hp_engine *engine)
{
	bool any = hp_files_forsake(engine);

	for (uint32_t n = 1; n < engine->files_end; n++) {
		struct hp_object *object = engine->files[n];

		if (!object || (object->nshared && !hp_mapped_over(object)) || object->filling ||
		    hp_file_has_dirty(engine, object) || object->error || object->content == HP_CONTENT_BLOCKS ||
		    hp_file_in_use(object->fd))
			continue;
		hp_file_release(engine, object);
		any = true;
	}
	return any;
}

bool hp_file_forsake(hp_engine *engine, struct hp_object *object)
{
	if (!object->orphan || object->names || object->nameless || !object->file || object->fd < 0 ||
	    object->in_flight || object->behind || object->collecting || object->filling || object->locks)
		return false;
	if (object->touched > engine->serving.quiet) {
		engine->serving.forsaken = true;
		return false;
	}
	if (hp_file_in_use(object->fd)) {
		__atomic_or_fetch(&engine->channel->files[object->file].flags, HP_FILE_NAMELESS, __ATOMIC_SEQ_CST);
		return false;
	}
	hp_file_release(engine, object);
	return true;
}

bool hp_files_forsake(hp_engine *engine)
{
	bool any = false;

	for (uint32_t n = 1; n < engine->files_end; n++)
		if (engine->files[n])
			any |= hp_file_forsake(engine, engine->files[n]);
	return any;
}

int hp_file_number(hp_engine *engine, struct hp_object *object)
{
	uint32_t number;
	int fd;

	if (object->file)
		return 0;
	if (++engine->serving.numbered % LOOK_AFTER == 0)
		hp_files_forsake(engine);
	for (int round = 0;; round++) {
		for (number = engine->next_file; number < HP_FILES && engine->files[number]; number++)
			;
		if (number == HP_FILES)
			for (number = 1; number < engine->next_file && engine->files[number]; number++)
				;
		if (number < HP_FILES && !engine->files[number])
			break;
		if (round || !collect_numbers(engine))
			return -ENFILE;
	}
	fd = hp_mirror_open_long(engine, object);
	if (fd < 0)
		return fd;
	object->fd = fd;
	object->file = number;
	engine->files[number] = object;
	engine->next_file = number + 1;
	if (engine->files_end < engine->next_file)
		engine->files_end = engine->next_file;
	memset(&engine->channel->files[number], 0, sizeof(struct hp_file));
	__atomic_store_n(&engine->channel->files[number].inode, object->inode, __ATOMIC_SEQ_CST);
	if (object->plain_seen) {
		hp_mirror_publish(engine, object); /* who opens it from now on knows the number */
		object->plain_seen = hp_file_in_use(fd);
	}
	return 0;
}

struct opened {
	struct hp_object *object;
	bool emptied, replaced;
};

/* What home opened is the file we know, unless it was replaced or written
 * there since: then the name gets a new inode, and the caller looks again. */
static void apply_opened(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	struct opened *opened = pending->context;
	const uint8_t *end = body + length, *first = body;
	const struct hpw_entry *entry = reply->error || !body ? NULL : hp_wire_entry(&body, end);

	if (entry && opened->emptied && entry->attr.ino == opened->object->attr.ino &&
	    entry->attr.dev == opened->object->attr.dev) {
		hp_object_rehome(engine, opened->object, &entry->attr);
		return;
	}
	opened->replaced =
		!entry || entry->attr.ino != opened->object->attr.ino || entry->attr.dev != opened->object->attr.dev;
	if (first)
		hp_apply_entries(engine, pending, reply, first, (size_t)(end - first));
	opened->replaced |= opened->object->names == 0;
}

/* A handle at home that can read, and write if asked. `flags`: Linux O_*. */
int hp_file_open_home(hp_engine *engine, struct hp_object *object, int flags)
{
	bool write = (flags & O_ACCMODE) != O_RDONLY;
	struct opened opened = { .object = object, .emptied = flags & O_TRUNC };
	struct hp_pending pending = { .apply = apply_opened, .context = &opened };
	uint64_t handle = ++engine->next_handle;
	char *path;
	int error;

	if (object->handle && (!write || object->handle_writable) && !(flags & O_TRUNC))
		return 0;
	path = hp_object_path(object);
	if (!path)
		return -ESTALE;
	if (write && object->attr.access & 4)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	error = hp_wire_call(engine, HP_LANE_WAIT, &pending,
			     &(struct hp_request){ .head = { .op = HPW_OPEN,
							     .handle = handle,
							     .arg = (uint32_t)flags,
							     .flags = HPW_CONTENT,
							     .length = HP_INLINE_LIMIT,
							     .len1 = (uint32_t)strlen(path) },
						   .string1 = path });
	free(path);
	if (error) /* of what was a plain file when its name was looked up */
		return error == ELOOP || error == EISDIR || error == ENXIO ? -EAGAIN : -error;
	if (opened.replaced) {
		hp_wire_close_handle(engine, handle);
		return -EAGAIN;
	}
	object->handle = handle; /* an older one may still have reads on the way: it is left to the end */
	object->handle_writable = write;
	return 0;
}
