/* Attributes and extended attributes, by handle or by path. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

struct object { /* a handle, or what a path led to */
	struct hp_handle *handle;
	struct hp_found found;
	int fd;
	uint32_t share;
	bool directory, symlink;
};

static int object_get(hp_lane *lane, const struct hp_call *call, struct object *object)
{
	unsigned flags = HP_WALK_HANDLE | (call->head->flags & HPW_NOFOLLOW ? HP_WALK_NOFOLLOW : 0);
	int error;

	*object = (struct object){ .found = { .fd = -1 } };
	if (call->head->handle != 0) {
		error = hp_handle_get(lane, call->head->handle, &object->handle);
		if (error != 0)
			return error;
		object->fd = object->handle->fd;
		object->share = object->handle->share;
		object->directory = !object->handle->regular;
		return 0;
	}
	error = hp_walk(lane, call->first, flags, &object->found);
	object->fd = object->found.fd;
	object->share = object->found.share;
	object->directory = S_ISDIR(object->found.attr.mode);
	object->symlink = S_ISLNK(object->found.attr.mode);
	if (error == 0 && call->head->flags & HPW_EXPECT && object->found.attr.ino != call->head->offset)
		error = ESTALE; /* the name has been given to another meanwhile */
	return error;
}

static void object_put(hp_lane *lane, struct object *object)
{
	hp_handle_put(lane->home, object->handle);
	hp_found_release(&object->found);
}

/* Without a symlink's text: it cannot have changed, and reading it would show in its atime. */
static void object_entry(hp_lane *lane, struct object *object)
{
	struct hpw_attr attr;

	if (object->handle != NULL) {
		hp_entry_of_handle(lane, object->handle);
	} else if (hp_attr_read(lane->home, object->fd, "", &attr) == 0) {
		hp_attr_limit(lane->home, object->fd, "", object->share, &attr);
		hp_entry(lane, 0, object->found.path, hp_no_text(), &attr);
	}
}

/* Before its attributes change, or its size. */
static void object_undo(hp_home *home, struct object *object, uint64_t size)
{
	if (object->handle != NULL)
		hp_undo_handle(home, object->handle, size, UINT64_MAX, NULL);
	else
		hp_undo_content(home, object->fd, object->found.path, size, UINT64_MAX);
}

/* The present time may be given by who may write, another only by the owner. */
static bool now_only(uint32_t set)
{
	return set == (HPW_SET_ATIME_NOW | HPW_SET_MTIME_NOW);
}

/* Attributes are changed by the owner (or root): writing rights do not matter. */
static int may_set(hp_lane *lane, const struct object *object, int not_owner)
{
	struct stat st;

	if (object->share == HP_SHARE_RW)
		return 0;
	if (object->handle != NULL || fstat(object->fd, &st) != 0)
		return EACCES;
	if (st.st_uid != lane->home->user.uid && !lane->home->user.is_root)
		return not_owner; /* what the user himself would be told */
	hp_refuse_write(lane, object->found.path);
	return EACCES;
}

void hp_op_getattr(hp_lane *lane, const struct hp_call *call)
{
	struct object object;
	int error = object_get(lane, call, &object);

	hp_reply_open(lane, call->head, HPW_GETATTR);
	if (error == 0)
		object_entry(lane, &object);
	hp_reply_close(lane, error, 0);
	object_put(lane, &object);
}

static struct timespec time_of(uint32_t set, uint32_t flag, uint32_t now_flag, int64_t s, uint32_t ns)
{
	if (set & now_flag)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (set & flag)
		return (struct timespec){ .tv_sec = s, .tv_nsec = ns };
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int set_size(hp_lane *lane, const struct object *object, uint64_t size)
{
	int fd = object->fd, error;

	if (size > INT64_MAX)
		return EINVAL;
	if (object->handle == NULL) {
		if (object->directory)
			return EISDIR;
		if (!S_ISREG(object->found.attr.mode))
			return EINVAL;
		fd = hp_reopen(lane->home, object->fd, O_WRONLY);
		if (fd < 0)
			return -fd;
	}
	error = ftruncate(fd, (off_t)size) == 0 ? 0 : errno;
	if (fd != object->fd)
		close(fd);
	return error;
}

/* In this order: a change of owner clears set-id bits, a change of size sets the times. */
static int set(hp_lane *lane, const struct object *object, uint32_t set, const struct hpw_attr *attr)
{
	const uint32_t times = HPW_SET_ATIME | HPW_SET_MTIME | HPW_SET_ATIME_NOW | HPW_SET_MTIME_NOW;
	uint32_t mode = attr->mode | (object->directory ? S_IFDIR : S_IFREG);
	char number[16];
	int error;

	if (set & HPW_SET_SIZE) {
		error = set_size(lane, object, attr->size);
		if (error != 0)
			return error;
	}
	if ((set & (HPW_SET_UID | HPW_SET_GID)) &&
	    fchownat(object->fd, "", set & HPW_SET_UID ? attr->uid : (uid_t)-1,
		     set & HPW_SET_GID ? attr->gid : (gid_t)-1, AT_EMPTY_PATH) != 0)
		return errno;
	if (set & HPW_SET_MODE) {
		if (object->symlink)
			return EOPNOTSUPP;
		snprintf(number, sizeof(number), "%d", object->fd);
		if (fchmodat(lane->home->proc_fd, number, hp_safe_mode(lane->home, -1, mode) & 07777, 0) != 0)
			return errno;
	}
	if (set & times) {
		const struct timespec both[2] = {
			time_of(set, HPW_SET_ATIME, HPW_SET_ATIME_NOW, attr->atime_s, attr->atime_ns),
			time_of(set, HPW_SET_MTIME, HPW_SET_MTIME_NOW, attr->mtime_s, attr->mtime_ns),
		};

		if (((set & HPW_SET_ATIME) && attr->atime_ns >= 1000000000u) ||
		    ((set & HPW_SET_MTIME) && attr->mtime_ns >= 1000000000u))
			return EINVAL;
		if (utimensat(object->fd, "", both, AT_EMPTY_PATH) != 0)
			return errno;
	}
	return 0;
}

void hp_op_setattr(hp_lane *lane, const struct hp_call *call)
{
	struct hpw_attr attr;
	struct object object;
	int error = object_get(lane, call, &object);

	memcpy(&attr, call->second.bytes, sizeof(attr));
	if (error == 0)
		error = may_set(lane, &object, now_only(call->head->mode) ? EACCES : EPERM);
	if (error == 0) {
		object_undo(lane->home, &object, call->head->mode & HPW_SET_SIZE ? attr.size : UINT64_MAX);
		error = set(lane, &object, call->head->mode, &attr);
		hp_undo_changed(lane->home, object.fd);
		if (object.directory || object.handle == NULL)
			hp_changed(lane, true); /* a directory on the walk may have changed */
		if (object.handle != NULL)
			hp_handle_changed(lane->home, object.handle);
	}
	hp_reply_open(lane, call->head, HPW_SETATTR);
	if (error == 0)
		object_entry(lane, &object);
	hp_reply_close(lane, error, 0);
	object_put(lane, &object);
}

/* As root, these would grant rights beyond the job's files. */
static bool is_privileged(const hp_home *home, const char *name)
{
	return home->user.is_root && (strncmp(name, "security.", 9) == 0 || strncmp(name, "trusted.", 8) == 0);
}

static int change_xattr(hp_lane *lane, const struct hp_call *call, struct object *object, const char *path,
			const char *name)
{
	int error = may_set(lane, object, EACCES);
	size_t skip = strlen(name) + 1;

	if (error != 0)
		return error;
	if (is_privileged(lane->home, name))
		return EPERM;
	object_undo(lane->home, object, UINT64_MAX);
	hp_undo_xattr(lane->home, object->handle, object->fd, object->found.path, name);
	if (call->head->op == HPW_REMOVEXATTR)
		error = removexattr(path, name) == 0 ? 0 : errno;
	else if (setxattr(path, name, call->second.bytes + skip, call->second.length - skip, (int)call->head->arg) != 0)
		error = errno;
	hp_undo_changed(lane->home, object->fd);
	return error;
}

/* A question about the size (length 0) is answered with the value all the same. */
static long read_xattr(const struct hp_call *call, const char *path, const char *name, uint8_t *data)
{
	uint64_t room = call->head->length;

	if (room == 0 || room > HPW_MAX_XATTR)
		room = HPW_MAX_XATTR;
	if (call->head->op == HPW_LISTXATTR)
		return listxattr(path, (char *)data, room);
	return getxattr(path, name, data, room);
}

/* As with a file that must not be read: no content, and `ls -l` has nothing to complain of. */
static int hidden_xattr(hp_lane *lane, const struct hpw_request *head, const struct object *object, const char *name)
{
	if (head->op == HPW_LISTXATTR)
		return 0;
	if (head->op == HPW_GETXATTR && strncmp(name, "user.", 5) != 0)
		return ENODATA;
	return hp_may_read(lane, object->fd, object->found.path, HP_SHARE_HIDE);
}

void hp_op_xattr(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	bool reads = head->op == HPW_GETXATTR || head->op == HPW_LISTXATTR;
	struct object object;
	char path[40], *name = strndup(call->second.bytes, call->second.length);
	uint8_t *data = NULL;
	long length = 0;
	int error;

	if (name == NULL) {
		hp_reply_error(lane, head, ENOMEM);
		return;
	}
	error = object_get(lane, call, &object);
	/* An O_PATH handle takes no fgetxattr; its link in /proc leads to the inode itself. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", object.fd);
	if (error == 0 && object.share == HP_SHARE_HIDE)
		error = hidden_xattr(lane, head, &object, name);
	else if (error == 0 && reads) {
		data = hp_reply_data(lane, HPW_MAX_XATTR);
		length = data == NULL ? 0 : read_xattr(call, path, name, data);
		if (length < 0) {
			error = errno;
			length = 0;
		}
	} else if (error == 0) {
		error = change_xattr(lane, call, &object, path, name);
	}
	if (reads) {
		hp_reply_data_end(lane, head, error, (size_t)length);
	} else {
		hp_changed(lane, true);
		if (object.handle != NULL)
			hp_handle_changed(lane->home, object.handle);
		hp_reply_open(lane, head, head->op);
		if (error == 0)
			object_entry(lane, &object);
		hp_reply_close(lane, error, 0);
	}
	object_put(lane, &object);
	free(name);
}
