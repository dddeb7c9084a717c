/* Requests about one object: attributes, size, extended attributes, sync. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "mapped.h"

#define NATIVE_MODES (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) /* what can be done here */

struct effect {
	struct hp_object *object;
	uint32_t set;
	uint64_t size;
	uint64_t offset, length;
	int mode;
	int error;
};

bool hp_is_watched(const hp_engine *engine)
{
	return __atomic_load_n(&engine->channel->watched, __ATOMIC_SEQ_CST);
}

/* Who watches would not hear of it else: files in use are changed by a name aside (hp_mirror_open_long),
 * and home's mode is not the mirror's. `size` NULL: mode, owner or times. */
static void tell(hp_engine *engine, const struct hp_object *object, const uint64_t *size)
{
	int parent = hp_is_watched(engine) && object->name ? hp_mirror_dirfd(engine, object->name->parent) : -1;
	int fd = parent < 0 ? -1 : openat(parent, object->name->text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	char path[40];

	if (fd < 0)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (size)
		truncate(path, (off_t)*size);
	else if (fstat(fd, &status) == 0 && !S_ISLNK(status.st_mode))
		hp_mirror_chmod(fd, status.st_mode & 07777);
	close(fd);
}

void hp_tell_attributes(hp_engine *engine, const struct hp_object *object)
{
	tell(engine, object, NULL);
}

static void sync_times(hp_engine *engine, struct hp_object *object, bool atime)
{
	int fd = hp_mirror_open(engine, object, O_RDWR);

	if (fd < 0)
		return;
	hp_mirror_set_times(object, fd, atime);
	object->sent_mtime = object->local_mtime;
	close(fd);
	hp_mirror_publish(engine, object);
}

/* Home has what the job wrote: from here on its attributes are the whole truth. */
static void adopt_times(hp_engine *engine, struct hp_object *object)
{
	int64_t home = object->attr.mtime_s * 1000000000 + object->attr.mtime_ns - engine->config.clock_offset_ns;
	int fd = hp_mirror_open(engine, object, O_PATH);
	struct stat status;

	if (fd < 0)
		return;
	if (fstat(fd, &status) == 0 && status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec == home)
		object->local_mtime = status.st_mtim;
	close(fd);
}

/* What a mapping wrote behind the end is not the file's: home's file system has zeros there when the file
 * grows over it, the mirror's would show it again. */
static int clear_behind_end(const struct hp_object *object, uint64_t size)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct stat status;
	uint64_t end, rest;

	if (fstat(object->fd, &status))
		return -errno;
	end = (uint64_t)status.st_size;
	rest = -end % page;
	if (size <= end || rest == 0)
		return 0;
	return fallocate(object->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)end, (off_t)rest) ? -errno : 0;
}

/* Home's size for the mirror's file. */
static int resize(hp_engine *engine, struct hp_object *object, uint64_t size)
{
	int error = clear_behind_end(object, size);

	if (!error && ftruncate(object->fd, (off_t)size))
		error = -errno;

	if (!error)
		tell(engine, object, &size);
	hp_file_set_size(engine, object, size);
	return error;
}

/* Home has kept the room. In the mirror it is kept where it is not much of it, so
 * that a mapping's pages have their places; else the file only grows. Zeros, which its
 * file system cannot keep room for, are a hole. */
static int allocate_here(hp_engine *engine, struct hp_object *object, const struct effect *effect)
{
	uint64_t end = effect->offset + effect->length;
	bool empties = effect->mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
	int mode = empties ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : effect->mode;
	struct stat status;

	if (empties)
		hp_file_outdate(engine, object, effect->offset, end);
	if (!(effect->mode & FALLOC_FL_KEEP_SIZE) && clear_behind_end(object, end))
		return -errno;
	if ((empties || effect->length < engine->config.mirror_bytes / 4) &&
	    fallocate(object->fd, mode, (off_t)effect->offset, (off_t)effect->length) && (empties || errno != ENOSPC))
		return -errno;
	if (effect->mode & FALLOC_FL_KEEP_SIZE)
		return 0;
	if (fstat(object->fd, &status) || ((uint64_t)status.st_size < end && ftruncate(object->fd, (off_t)end)))
		return -errno;
	return 0;
}

/* The attributes after a change are home's; sizes change natively too. */
static void apply_effect(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	struct effect *effect = pending->context;
	struct hp_object *object = effect->object;
	const uint8_t *end = body + length;
	const struct hpw_entry *entry = reply->error || !body ? NULL : hp_wire_entry(&body, end);

	if (!entry)
		return;
	if (object->fd >= 0 && pending->op == HPW_TRUNCATE)
		effect->error = resize(engine, object, effect->size);
	if (object->fd >= 0 && pending->op == HPW_ALLOCATE && !(effect->mode & ~NATIVE_MODES))
		effect->error = allocate_here(engine, object, effect);
	if (pending->op == HPW_ALLOCATE && object->appends && entry->attr.size > object->append_from)
		object->append_from = object->append_sure = entry->attr.size; /* home has grown too: that is no tail */
	if (!object->behind)
		hp_object_rehome(engine, object, &entry->attr);
	if (effect->set & HPW_SET_MODE && object->names)
		hp_mirror_permit(engine, object);
	if (object->kind == HP_FILE_KIND &&
	    (pending->op != HPW_SETATTR ||
	     effect->set & (HPW_SET_MTIME | HPW_SET_MTIME_NOW | HPW_SET_ATIME | HPW_SET_ATIME_NOW)))
		sync_times(engine, object, effect->set & (HPW_SET_ATIME | HPW_SET_ATIME_NOW));
	else if (object->kind == HP_FILE_KIND)
		adopt_times(engine, object);
	if (pending->op == HPW_SETATTR)
		tell(engine, object, NULL);
	hp_mirror_publish(engine, object);
}

/* Sends `head` for the object: by handle, behind its data, if it has one that
 * writes; else by path. */
static int call_for(hp_engine *engine, struct hp_object *object, struct hp_pending *pending, struct hp_request request)
{
	char *path = NULL;
	int error;

	if (object->handle_writable) {
		hp_ordered_first(engine, object);
		request.head.handle = object->handle;
	} else if ((path = hp_object_path(object)) != NULL) {
		request.head.len1 = (uint32_t)strlen(path);
		request.head.flags |= HPW_NOFOLLOW | (object->attr.ino ? HPW_EXPECT : 0);
		request.head.offset = object->attr.ino;
		request.string1 = path;
	} else if (object->handle) {
		request.head.handle = object->handle;
	} else {
		return -ESTALE;
	}
	error = hp_wire_call(engine, HP_LANE_WAIT, pending, &request);
	if (path && (error == ENOENT || error == ENOTDIR))
		error = ESTALE; /* moved or removed on the way there */
	free(path);
	return -error;
}

/* Without a name it is visible to nobody but those who have it open: home need not hear of it. */
static int set_nameless(hp_engine *engine, struct hp_object *object, uint32_t set, const struct hpw_attr *wanted)
{
	struct hpw_attr attr = object->attr;

	if ((set & HPW_SET_UID && wanted->uid != attr.uid && wanted->uid != ~0u) ||
	    (set & HPW_SET_GID && wanted->gid != attr.gid && wanted->gid != ~0u))
		return -EPERM;
	hp_touch(engine, &attr, set & HPW_SET_MTIME_NOW);
	if (set & HPW_SET_MODE)
		attr.mode = (attr.mode & S_IFMT) | (wanted->mode & 07777);
	if (set & (HPW_SET_ATIME | HPW_SET_ATIME_NOW)) {
		attr.atime_s = set & HPW_SET_ATIME ? wanted->atime_s : attr.ctime_s;
		attr.atime_ns = set & HPW_SET_ATIME ? wanted->atime_ns : attr.ctime_ns;
	}
	if (set & HPW_SET_MTIME) {
		attr.mtime_s = wanted->mtime_s;
		attr.mtime_ns = wanted->mtime_ns;
	}
	object->attr = attr;
	object->foretold = false;
	hp_mirror_publish(engine, object);
	return 0;
}

static int set_attributes(hp_engine *engine, struct hp_object *object, struct hp_slot *slot)
{
	struct effect effect = { .object = object, .set = (uint32_t)slot->arg[0] };
	struct hp_pending pending = { .apply = apply_effect, .context = &effect };
	struct hpw_attr attr = {
		.mode = (uint32_t)slot->arg[2],
		.uid = (uint32_t)((uint64_t)slot->arg[3] >> 32),
		.gid = (uint32_t)slot->arg[3],
		.atime_s = slot->arg[4],
		.atime_ns = (uint32_t)slot->arg[5],
		.mtime_s = slot->arg[6],
		.mtime_ns = (uint32_t)slot->arg[7],
	};
	int error;

	if (!object->names && !object->handle && !object->is_root)
		return set_nameless(engine, object, effect.set, &attr);
	if (hp_set_behind(engine, object, effect.set, &attr))
		return 0;
	error = call_for(engine, object, &pending,
			 (struct hp_request){ .head = { .op = HPW_SETATTR, .mode = effect.set, .len2 = sizeof attr },
					      .string2 = &attr });
	/* a symlink there has been given name and inode of what we know */
	return error == -EOPNOTSUPP && object->kind != HP_SYMLINK ? -ESTALE : error;
}

static int set_size(hp_engine *engine, struct hp_object *object, uint64_t size, bool by_descriptor)
{
	struct effect effect = { .object = object, .size = size };
	struct hp_pending pending = { .apply = apply_effect, .context = &effect };
	int error = 0;

	if (object->kind == HP_DIR)
		return -EISDIR;
	if (object->kind != HP_FILE_KIND)
		return -EINVAL;
	if (!by_descriptor && !(object->attr.access & 2))
		return -EACCES;
	if (!object->handle_writable)
		error = hp_file_open_home(engine, object, O_WRONLY);
	if (!error && object->content == HP_CONTENT_NONE)
		error = object->attr.access & 4 ? hp_have_content(engine, object) : 0;
	if (!error)
		error = hp_file_number(engine, object);
	if (!error) {
		hp_mirror_publish(engine, object);
		error = call_for(engine, object, &pending,
				 (struct hp_request){ .head = { .op = HPW_TRUNCATE, .length = size } });
	}
	return error ? error : effect.error;
}

static int allocate(hp_engine *engine, struct hp_object *object, struct hp_slot *slot)
{
	struct effect effect = { .object = object,
				 .mode = (int)slot->arg[0],
				 .offset = (uint64_t)slot->arg[1],
				 .length = (uint64_t)slot->arg[2] };
	struct hp_pending pending = { .apply = apply_effect, .context = &effect };
	int error;

	if (!object->handle_writable)
		return -EBADF;
	if (object->orphan && effect.mode & ~NATIVE_MODES)
		hp_flush_all_of(engine, object); /* what has no name is not sent otherwise */
	error = call_for(engine, object, &pending,
			 (struct hp_request){ .head = { .op = HPW_ALLOCATE,
							.arg = (uint32_t)effect.mode,
							.offset = effect.offset,
							.length = effect.length } });
	if (error || !(effect.mode & ~NATIVE_MODES))
		return error ? error : effect.error;
	/* bytes at other places: home has done it, the mirror cannot */
	if (object->attr.access & 4)
		return hp_refetch(engine, object, effect.offset);
	error = object->fd < 0 ? 0 :
				 resize(engine, object, object->attr.size); /* what it may not read it has none of */
	sync_times(engine, object, false);
	return error;
}

static int64_t reply_data(struct hp_slot *slot, struct hp_pending *pending, int error)
{
	size_t length = pending->data_length < HP_SLOT_DATA ? pending->data_length : HP_SLOT_DATA;

	if (!error && length)
		memcpy(slot->data, pending->data, length);
	slot->reply_len = (uint32_t)length;
	free(pending->data);
	return error ? error : (int64_t)length;
}

static int64_t extended(hp_engine *engine, struct hp_object *object, struct hp_slot *slot)
{
	static const uint16_t ops[] = { [HP_REQ_GETXATTR] = HPW_GETXATTR,
					[HP_REQ_SETXATTR] = HPW_SETXATTR,
					[HP_REQ_LISTXATTR] = HPW_LISTXATTR,
					[HP_REQ_REMOVEXATTR] = HPW_REMOVEXATTR };
	bool reads = slot->op == HP_REQ_GETXATTR || slot->op == HP_REQ_LISTXATTR;
	struct effect effect = { .object = object };
	struct hp_pending pending = { .apply = reads ? hp_apply_data : apply_effect, .context = &effect };
	uint64_t room = (uint64_t)slot->arg[1];
	int64_t known;
	int error;

	slot->reply_len = 0;
	if (reads && hp_extended_known(engine, object, slot, &known))
		return known;
	if (hp_extended_behind(engine, object, slot))
		return 0;
	error = call_for(
		engine, object, &pending,
		(struct hp_request){ .head = { .op = ops[slot->op],
					       .arg = reads ? 0 : (uint32_t)slot->arg[1],
					       .length = reads ? (room < HP_SLOT_DATA ? room : HP_SLOT_DATA) : 0,
					       .len2 = slot->len2 },
				     .string2 = slot->data + slot->len1 });

	hp_extended_heard(object, slot, -error, pending.data_length);
	return reads ? reply_data(slot, &pending, error) : error;
}

static int64_t do_attributes(hp_engine *engine, struct hp_slot *slot)
{
	int how = HP_FOLLOW, error;
	struct hp_where where;
	struct hp_object *object;

	if ((slot->op == HP_REQ_SETATTR && slot->arg[1]) ||
	    (slot->op >= HP_REQ_GETXATTR && slot->op <= HP_REQ_REMOVEXATTR && slot->arg[0]))
		how = HP_NO_FOLLOW;
	if (slot->op == HP_REQ_SYNC && slot->base == 0)
		return hp_flush_everything(engine);
	error = hp_resolve(engine, slot->base, (const char *)slot->data, slot->len1, how, &where);
	if (error)
		return error == HP_IS_LOCAL ? HP_LOCAL : error;
	object = where.object;
	switch (slot->op) {
	case HP_REQ_SETATTR:
		return set_attributes(engine, object, slot);
	case HP_REQ_TRUNCATE:
		return set_size(engine, object, (uint64_t)slot->arg[0], slot->len1 == 0);
	case HP_REQ_ALLOCATE:
		return allocate(engine, object, slot);
	case HP_REQ_STATFS:
		return hp_do_statistics(engine, object, slot);
	case HP_REQ_GETXATTR:
	case HP_REQ_SETXATTR:
	case HP_REQ_LISTXATTR:
	case HP_REQ_REMOVEXATTR:
		return extended(engine, object, slot);
	case HP_REQ_SYNC:
		return hp_sync(engine, object);
	case HP_REQ_FILL:
		return hp_file_fill(engine, object, (uint64_t)slot->arg[0], (uint64_t)slot->arg[1], true);
	case HP_REQ_MAP:
		return hp_mapped_add(engine, object, (uint64_t)slot->arg[0],
				     (uint64_t)slot->arg[0] + (uint64_t)slot->arg[1], slot->arg[2]);
	case HP_REQ_ATTR:
		if (slot->arg[0])
			hp_ordered_wait(engine);
		hp_mirror_publish(engine, object);
		memcpy(slot->data, &engine->attrs[object->inode % HP_ATTR_COUNT], sizeof(struct hp_attr_entry));
		return 0;
	default:
		return -ENOSYS;
	}
}

int64_t hp_do_attributes(hp_engine *engine, struct hp_slot *slot)
{
	int64_t result;
	int tries = 0;

	do { /* the name was given to another on the way, or lost: what is there now? */
		result = do_attributes(engine, slot);
	} while ((result == -ESTALE || (result == -EAGAIN && slot->op == HP_REQ_TRUNCATE)) && ++tries < 64);
	return result;
}
