/* open(2): which names and contents must be there before the native call. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "internal.h"

#define MOST_TRIES 256 /* others may replace or remove a file each time it is being opened */

static bool wants_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

/* From here on the mirror's inode may be opened for writing and is watched. */
static int make_writable(hp_engine *engine, struct hp_object *object)
{
	int error = hp_file_number(engine, object);

	if (error)
		return error;
	__atomic_or_fetch(&engine->channel->files[object->file].flags, HP_FILE_WRITABLE, __ATOMIC_SEQ_CST);
	if (!object->opened_writable) {
		object->opened_writable = true;
		hp_mirror_permit(engine, object);
	}
	hp_mirror_publish(engine, object);
	return 0;
}

/* From here on the mirror's bytes behind what home has go to home's end,
 * wherever that is by then: others append too. */
static int begin_append(hp_engine *engine, struct hp_object *object)
{
	struct stat status;
	int error;

	if (object->appends || !object->file || object->orphan)
		return 0;
	error = hp_flush_object(engine, object);
	if (error || object->appends)
		return error;
	if (fstat(object->fd, &status))
		return -errno;
	object->appends = true;
	object->append_from = object->append_sure = (uint64_t)status.st_size;
	__atomic_or_fetch(&engine->channel->files[object->file].flags, HP_FILE_APPENDS, __ATOMIC_SEQ_CST);
	return 0;
}

int64_t hp_do_append(hp_engine *engine, struct hp_slot *slot)
{
	struct hp_object *object = hp_object_by_inode(engine, slot->base);

	return object && object->file ? begin_append(engine, object) : HP_LOCAL;
}

/* Home has emptied it. */
static int make_empty(hp_engine *engine, struct hp_object *object)
{
	int fd = hp_mirror_open(engine, object, O_RDWR);
	int error = 0;

	if (fd < 0)
		return fd;
	if (ftruncate(fd, 0))
		error = -errno;
	object->blocks = 0;
	object->home_size = object->append_from = object->append_sure = 0;
	if (object->content == HP_CONTENT_BLOCKS)
		hp_file_publish_map(engine, object);
	else
		object->content = HP_CONTENT_WHOLE;
	hp_mirror_set_times(object, fd, true);
	object->sent_mtime = object->local_mtime;
	close(fd);
	return error;
}

static int open_existing(hp_engine *engine, struct hp_object *object, int flags, uint32_t mode)
{
	int error = 0;
	bool emptied;

	if (!wants_write(flags))
		return hp_have_content(engine, object);
	if ((flags & O_ACCMODE) == O_RDWR && !(object->attr.access & 4))
		return -EACCES;
	emptied = flags & O_TRUNC && hp_empty_behind(engine, object, flags, mode);
	if (!emptied && flags & O_TRUNC && object->file) {
		error = hp_flush_object(engine, object); /* or what was written before would arrive after */
		if (error)
			return error;
	}
	if (!emptied)
		error = hp_file_open_home(engine, object, O_WRONLY | (flags & O_TRUNC));
	if (error)
		return error;
	if (flags & O_TRUNC) {
		error = make_empty(engine, object);
	} else if (object->content == HP_CONTENT_NONE) {
		if (object->attr.access & 4)
			error = hp_have_content(engine, object);
		else
			error = hp_mirror_give_size(engine, object); /* nobody may read it */
	}
	if (!error)
		error = make_writable(engine, object);
	return !error && flags & O_APPEND ? begin_append(engine, object) : error;
}

struct created {
	const char *path;
	struct hp_object *object;
};

/* The name may stand for another by the time that who asked looks. */
static void apply_created(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			  const uint8_t *body, size_t length)
{
	struct created *created = pending->context;
	struct hp_name *name;

	hp_apply_entries(engine, pending, reply, body, length);
	name = reply->error ? NULL : hp_name_by_path(engine, created->path);
	created->object = name ? name->object : NULL;
}

/* A name that may not exist: home creates it or says what is there. */
static int create(hp_engine *engine, struct hp_where *where, int flags, uint32_t mode, struct hp_object **object)
{
	int wanted = O_CREAT | (flags & (O_EXCL | O_TRUNC));
	int access[2] = { O_RDWR, flags & O_ACCMODE };
	struct hp_object *parent = where->parent;
	char *path = hp_name_path(parent, where->last, where->last_length);
	int error = 0;

	for (int i = 0; i < 2; i++) {
		struct created created = { .path = path };
		struct hp_pending pending = { .apply = apply_created, .context = &created };
		uint64_t handle = ++engine->next_handle;
		struct hp_name *name;

		engine->moving++;
		error = hp_wire_call(engine, HP_LANE_WAIT, &pending,
				     &(struct hp_request){ .head = { .op = HPW_OPEN,
								     .handle = handle,
								     .arg = (uint32_t)(wanted | access[i]),
								     .mode = mode,
								     .flags = HPW_CONTENT,
								     .length = HP_INLINE_LIMIT,
								     .len1 = (uint32_t)strlen(path) },
							   .string1 = path });
		engine->moving--;
		if (error == EACCES && access[1] != O_RDWR && !(flags & O_EXCL))
			continue;
		if (error)
			break;
		name = hp_tree_find(engine, parent, where->last, where->last_length);
		*object = name ? name->object : NULL;
		if (!*object || *object != created.object || (*object)->kind != HP_FILE_KIND) {
			hp_wire_close_handle(engine, handle);
			error = EAGAIN; /* another process has removed or replaced it before we looked */
			break;
		}
		if (!(*object)->handle || !(*object)->handle_writable) {
			(*object)->handle = handle;
			(*object)->handle_writable = access[i] != O_RDONLY;
		} else {
			hp_wire_close_handle(engine, handle);
		}
		break;
	}
	free(path);
	return -error;
}

struct nameless {
	struct hpw_attr attr;
	bool known;
};

static void apply_nameless(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			   const uint8_t *body, size_t length)
{
	struct nameless *file = pending->context;
	const uint8_t *end = body + length;
	const struct hpw_entry *entry = reply->error || !body ? NULL : hp_wire_entry(&body, end);

	(void)engine;
	if (!entry)
		return;
	file->attr = entry->attr;
	file->known = true;
}

/* O_TMPFILE: a file without a name, at home too. What is written to it travels
 * only when it gets one; until then it lies in the private directory. */
int64_t hp_do_nameless(hp_engine *engine, struct hp_slot *slot)
{
	struct nameless file = { .known = false };
	struct hp_pending pending = { .apply = apply_nameless, .context = &file };
	struct hp_where where;
	int error = hp_resolve(engine, slot->base, (const char *)slot->data, slot->len1, HP_FOLLOW, &where), fd;
	uint64_t handle = ++engine->next_handle;
	struct hp_object *object;
	struct stat status;
	char private[64], *path;

	if (error)
		return error == HP_IS_LOCAL ? HP_LOCAL : error;
	if (where.object->kind != HP_DIR)
		return -ENOTDIR;
	path = hp_object_path(where.object);
	if (!path)
		return -ENOENT;
	error = hp_wire_call(engine, HP_LANE_WAIT, &pending,
			     &(struct hp_request){ .head = { .op = HPW_TMPFILE,
							     .handle = handle,
							     .mode = (uint32_t)slot->arg[1],
							     .len1 = (uint32_t)strlen(path) },
						   .string1 = path });
	free(path);
	if (error || !file.known)
		return error ? -error : -EIO;
	snprintf(private, sizeof private, HP_NAMELESS_DIR "/%llu", (unsigned long long)handle);
	fd = openat(engine->root_fd, private + 1, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &status))
		return -errno;
	object = hp_object_new(engine, HP_FILE_KIND);
	object->attr = file.attr;
	object->inode = status.st_ino;
	object->content = HP_CONTENT_WHOLE;
	object->handle = handle;
	object->handle_writable = object->opened_writable = object->orphan = true;
	object->nameless = handle;
	object->unlinkable = slot->arg[0] & O_EXCL;
	object->fd = fd;
	hp_mirror_set_times(object, fd, true);
	hp_object_index(engine, object);
	error = make_writable(engine, object);
	close(fd);
	if (error)
		return error;
	slot->value[0] = (uint64_t)(slot->arg[0] & ~(O_TMPFILE | O_EXCL));
	slot->value[1] = object->file;
	slot->reply_len = (uint32_t)strlen(private) + 1;
	memcpy(slot->data, private, slot->reply_len);
	return HP_RETRY;
}

/* The creator's open is done. */
int64_t hp_do_settle(hp_engine *engine, struct hp_slot *slot)
{
	struct hp_object *object = hp_object_by_inode(engine, slot->base);

	if (object && object->granted) {
		object->granted = 0;
		hp_mirror_permit(engine, object);
	}
	return 0;
}

/* Removed or replaced while it was being opened: O_CREAT makes another, else the next look says ENOENT. */
static bool was_lost(int error)
{
	return error == -EAGAIN || error == -ESTALE;
}

/* What there is to do for a file that home has just opened or made, before the native open. */
static int begin_created(hp_engine *engine, struct hp_object *object, int flags, bool behind)
{
	int error = 0;

	if (object->handle_writable && object->content == HP_CONTENT_WHOLE)
		error = hp_file_number(engine, object); /* first, so that what follows is not heard by who watches */
	if (!error && flags & O_TRUNC && !behind)
		error = make_empty(engine, object);
	if (!error && object->content == HP_CONTENT_NONE && (!wants_write(flags) || object->attr.access & 4))
		error = hp_have_content(engine, object);
	if (!error && object->content == HP_CONTENT_NONE)
		error = hp_mirror_give_size(engine, object);
	if (!error && object->handle_writable)
		error = make_writable(engine, object);
	if (!error && flags & O_APPEND && wants_write(flags))
		error = begin_append(engine, object);
	return error == -ENOENT ? -ESTALE : error;
}

int64_t hp_do_open(hp_engine *engine, struct hp_slot *slot)
{
	int flags = (int)slot->arg[0], error;
	bool creating = flags & O_CREAT, exclusive = creating && flags & O_EXCL;
	bool no_follow = flags & O_NOFOLLOW || exclusive;
	struct hp_object *object = NULL;
	struct hp_where where;
	int how = (no_follow ? HP_NO_FOLLOW : 0) | (creating ? HP_PARENT_ONLY : 0) | HP_WITH_CONTENT |
		  (slot->flags & HP_SLOT_IN_ROOT ? HP_IN_ROOT : 0);
	bool behind;
	int tries = 0;

	if (creating)
		hp_written_first(engine, false);
again: /* the file was replaced at home while we opened it */
	for (int round = 0;; round++) {
		error = hp_resolve(engine, slot->base, (const char *)slot->data, slot->len1, how, &where);
		if (error)
			return error == HP_IS_LOCAL ? HP_LOCAL : error;
		object = where.object;
		if (creating && where.must_be_directory)
			return -EISDIR;
		if (object && !exclusive)
			break;
		if (object && object->kind == HP_DIR)
			return -EEXIST;
		if (!where.parent)
			return -EEXIST;
		behind = !exclusive && !(flags & O_APPEND) && wants_write(flags) &&
			 (flags & O_TRUNC || hp_lock_is_private(engine)) &&
			 hp_create_behind(engine, &where, flags, (uint32_t)slot->arg[1], &object);
		error = behind ? 0 : create(engine, &where, flags, (uint32_t)slot->arg[1], &object);
		if (error == -ELOOP && !no_follow && round == 0) {
			how &= ~HP_PARENT_ONLY; /* a symlink we had not heard of */
			error = hp_resolve(engine, slot->base, (const char *)slot->data, slot->len1, how, &where);
			how |= HP_PARENT_ONLY;
			if (error == 0 || error == -ENOENT)
				continue;
		}
		if (!error)
			error = begin_created(engine, object, flags, behind);
		if (was_lost(error) && ++tries < MOST_TRIES)
			goto again;
		if (error)
			return error;
		if (exclusive)
			hp_changes_await(engine);
		slot->value[2] = exclusive;
		object->own |= exclusive;
		if (((flags & O_ACCMODE) != O_WRONLY && !(object->attr.access & 4)) ||
		    ((flags & O_ACCMODE) != O_RDONLY && !(object->attr.access & 2))) {
			/* who creates a file may use it now, whatever its mode says of later opens */
			object->granted = 0600;
			hp_mirror_permit(engine, object);
			slot->value[3] = object->inode;
		}
		slot->value[0] = (uint64_t)(flags & ~(O_CREAT | O_EXCL | O_TRUNC));
		slot->value[1] = object->file;
		return HP_RETRY;
	}
	if (object->kind == HP_SYMLINK)
		return -ELOOP;
	if (object->kind == HP_DIR) {
		if (wants_write(flags) || creating)
			return -EISDIR;
		error = object->attr.access & 4 ? hp_list(engine, object, true) : -EACCES;
		if (error == -ENOTDIR)
			error = -EAGAIN;
	} else if (flags & O_DIRECTORY) {
		error = -ENOTDIR;
	} else if (object->kind == HP_FIFO) {
		error = 0;
	} else if (object->kind == HP_OTHER) {
		error = -ENXIO;
	} else {
		error = open_existing(engine, object, flags, (uint32_t)slot->arg[1]);
	}
	if ((was_lost(error) || (error == -ENOENT && creating)) && ++tries < MOST_TRIES)
		goto again;
	if (error)
		return error;
	slot->value[0] = (uint64_t)(flags & ~(O_CREAT | O_EXCL | O_TRUNC));
	slot->value[1] = object->file;
	return HP_RETRY;
}
