/* Files by handle: open, read, write, size. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>

#define OPEN_FLAGS (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_DIRECTORY)
#define CREATE_TRIES 16

static int existing(hp_lane *lane, struct hp_found *found, int flags, int *fd)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
	uint32_t mode = found->attr.mode;
	int error;

	if (S_ISLNK(mode))
		return flags & O_DIRECTORY ? ENOTDIR : ELOOP;
	if (S_ISDIR(mode) && (writes || (flags & O_CREAT)))
		return EISDIR;
	if (!S_ISDIR(mode) && (flags & O_DIRECTORY))
		return ENOTDIR;
	error = hp_may_read(lane, found->fd, found->path, found->share);
	if (error == 0 && !S_ISDIR(mode) && !S_ISREG(mode))
		error = ENXIO; /* pipes and devices are the sandbox's own */
	if (error == 0 && writes)
		error = hp_may_write(lane, found->fd, found->path, found->share);
	if (error != 0)
		return error;
	if (flags & O_TRUNC)
		hp_undo_content(lane->home, found->fd, found->path, 0, UINT64_MAX);
	*fd = hp_reopen(lane->home, found->fd, flags & (O_ACCMODE | O_TRUNC | O_DIRECTORY));
	if (flags & O_TRUNC)
		hp_undo_changed(lane->home, found->fd);
	return *fd < 0 ? -*fd : 0;
}

static int create(hp_lane *lane, struct hp_found *found, int flags, uint32_t mode, int *fd)
{
	uint64_t record;
	int error;

	flags = (flags & (O_ACCMODE | O_TRUNC)) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	if (hp_may_change(lane, found, false) != 0)
		return EACCES;
	record = hp_undo_make(lane->home, found, -1, S_IFREG);
	do {
		*fd = openat(found->parent_fd, found->name, flags,
			     hp_safe_mode(lane->home, found->parent_fd, mode) & 07777);
		error = *fd >= 0 ? 0 : errno;
	} while (error == EINTR || ((error == EMFILE || error == ENFILE) && hp_handles_relieve(lane->home)));
	hp_undo_made(lane->home, found, record, error == 0);
	if (error != 0)
		return error;
	hp_changed(lane, false);
	return 0;
}

static int open_or_create(hp_lane *lane, const struct hp_call *call, struct hp_found *found, int *fd)
{
	int flags = (int)call->head->arg, error;

	if (!(flags & O_CREAT)) {
		error = hp_walk(lane, call->first, HP_WALK_NOFOLLOW | HP_WALK_HANDLE, found);
		return error != 0 ? error : existing(lane, found, flags, fd);
	}
	if (flags & O_DIRECTORY)
		return EINVAL;
	error = hp_walk(lane, call->first, HP_WALK_PARENT, found);
	if (error != 0)
		return error == EEXIST && !(flags & O_EXCL) ? EISDIR : error;
	if (found->slash)
		return EISDIR;
	if (hp_is_dots(found->name))
		return flags & O_EXCL ? EEXIST : EISDIR;
	for (int tries = 0; tries < CREATE_TRIES; tries++) { /* someone else may create and remove it */
		uint32_t share = found->share;

		error = hp_walk_look(lane, found);
		if (error == 0 && (flags & O_EXCL))
			return EEXIST;
		if (error == 0)
			return existing(lane, found, flags, fd);
		found->share = share;
		if (error == ENOENT)
			error = create(lane, found, flags, call->head->mode, fd);
		if (error != EEXIST)
			return error;
		if (flags & O_EXCL)
			return EEXIST;
	}
	return EBUSY;
}

/* The same open once more, after a reconnect: nothing is truncated twice. */
static void open_again(hp_lane *lane, const struct hp_call *call)
{
	struct hp_handle *handle;
	int error = hp_handle_get(lane, call->head->handle, &handle);

	hp_reply_open(lane, call->head, HPW_OPEN);
	if (error == 0)
		hp_entry_of_handle(lane, handle);
	hp_reply_close(lane, error, 0);
	hp_handle_put(lane->home, handle);
}

void hp_op_open(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	int flags = (int)head->arg, fd = -1, error = 0;
	struct hp_found found = { .fd = -1 };

	if (head->handle == 0 || (flags & ~OPEN_FLAGS) || (flags & O_ACCMODE) == O_ACCMODE) {
		hp_reply_error(lane, head, EINVAL);
		return;
	}
	if (hp_handle_known(lane->home, head->handle)) {
		open_again(lane, call);
		return;
	}
	error = open_or_create(lane, call, &found, &fd);
	if (error == 0)
		error = hp_attr_read(lane->home, fd, "", &found.attr);
	if (error == 0) {
		hp_attr_limit(lane->home, fd, "", found.share, &found.attr);
		error = hp_handle_add(lane->home, head->handle, fd, flags & (O_ACCMODE | O_DIRECTORY), &found, false);
	} else if (fd >= 0) {
		close(fd);
	}
	if (error == 0 && flags & O_EXCL)
		hp_tell_changes_first(lane, &found.path, NULL);
	hp_reply_open(lane, head, HPW_OPEN);
	if (error == 0) {
		hp_walk_emit_content(lane, 0, found.path, found.parent_fd, found.name, found.share, &found.attr,
				     head->flags & HPW_CONTENT ? head->length : SIZE_MAX, NULL);
		if (flags & O_CREAT)
			hp_entry_parent(lane, &found);
	}
	hp_reply_close(lane, error, 0);
	hp_found_release(&found);
}

void hp_op_close(hp_lane *lane, const struct hp_call *call)
{
	bool had_locks = false;
	int error = hp_handle_forget(lane->home, call->head->handle, &had_locks);

	lane->unlocked |= had_locks;
	hp_reply_error(lane, call->head, error);
}

void hp_op_read(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	struct hp_handle *handle;
	uint8_t *data = NULL;
	size_t got = 0;
	int error;

	if (head->length > HPW_MAX_READ || head->offset > INT64_MAX) {
		hp_reply_error(lane, head, EINVAL);
		return;
	}
	error = hp_handle_get(lane, head->handle, &handle);
	if (error == 0)
		data = hp_reply_data(lane, head->length);
	while (data != NULL && got < head->length) {
		ssize_t part = pread(handle->fd, data + got, head->length - got, (off_t)(head->offset + got));

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0 && got == 0)
			error = errno;
		if (part <= 0)
			break;
		got += (size_t)part;
	}
	hp_handle_put(lane->home, handle);
	hp_reply_data_end(lane, head, error, error == 0 ? got : 0);
}

/* The kernel finds the end and writes there in one step; where that was, the
 * position afterwards says. One lane at a time writes to a handle. */
static int append(hp_lane *lane, struct hp_handle *handle, const struct hp_text *bytes, uint64_t *began)
{
	uint64_t end = UINT64_MAX;
	size_t done = 0;

	if ((handle->open_flags & O_ACCMODE) == O_RDONLY)
		return EBADF; /* policy was asked for reading only */
	if (handle->append_fd < 0)
		handle->append_fd = hp_reopen(lane->home, handle->fd, O_WRONLY | O_APPEND);
	if (handle->append_fd < 0)
		return -handle->append_fd;
	hp_undo_handle(lane->home, handle, UINT64_MAX, UINT64_MAX, &end);
	while (done < bytes->length) {
		ssize_t part = write(handle->append_fd, bytes->bytes + done, bytes->length - done);

		if (part < 0 && errno != EINTR && !(errno == ENOSPC && hp_undo_yield(lane->home)))
			return errno;
		if (part == 0)
			return EIO;
		if (part > 0 && done == 0)
			*began = (uint64_t)(lseek(handle->append_fd, 0, SEEK_CUR) - part);
		if (part > 0)
			done += (size_t)part;
	}
	if (end != UINT64_MAX && *began != end)
		hp_undo_shared(lane->home, handle->fd); /* in between somebody else was here */
	return 0;
}

static void append_and_tell(hp_lane *lane, const struct hp_call *call)
{
	struct hp_handle *handle;
	uint64_t began = 0;
	int error = hp_handle_get(lane, call->head->handle, &handle);
	uint8_t *data;

	if (error == 0)
		error = append(lane, handle, &call->first, &began);
	if (handle != NULL)
		hp_handle_changed(lane->home, handle);
	hp_handle_put(lane->home, handle);
	data = hp_reply_data(lane, sizeof(began));
	if (data != NULL)
		memcpy(data, &began, sizeof(began));
	hp_reply_data_end(lane, call->head, error, error == 0 ? sizeof(began) : 0);
}

void hp_op_write(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	struct hp_handle *handle;
	size_t done = 0;
	int error;

	if (head->flags & HPW_AT_END) {
		append_and_tell(lane, call);
		return;
	}
	if (head->offset > INT64_MAX) {
		hp_reply_error(lane, head, EINVAL);
		return;
	}
	error = hp_handle_get(lane, head->handle, &handle);
	if (error == 0)
		hp_undo_handle(lane->home, handle, head->offset, head->offset + call->first.length, NULL);
	while (error == 0 && done < call->first.length) {
		ssize_t part = pwrite(handle->fd, call->first.bytes + done, call->first.length - done,
				      (off_t)(head->offset + done));

		if (part < 0 && errno != EINTR && !(errno == ENOSPC && hp_undo_yield(lane->home)))
			error = errno;
		else if (part == 0)
			error = EIO;
		else if (part > 0)
			done += (size_t)part;
	}
	if (handle != NULL)
		hp_handle_changed(lane->home, handle);
	hp_handle_put(lane->home, handle);
	hp_reply_error(lane, head, error);
}

/* What it will cut off, punch out or move. */
static void undo_resize(hp_home *home, struct hp_handle *handle, const struct hpw_request *head)
{
	if (head->op == HPW_TRUNCATE)
		hp_undo_handle(home, handle, head->length, UINT64_MAX, NULL);
	else if (head->op == HPW_ALLOCATE && (head->arg & ~(uint32_t)FALLOC_FL_KEEP_SIZE) == 0)
		hp_undo_handle(home, handle, UINT64_MAX, UINT64_MAX, NULL);
	else if (head->op == HPW_ALLOCATE)
		hp_undo_handle(home, handle, head->offset,
			       head->arg & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE) ?
				       UINT64_MAX :
				       head->offset + head->length,
			       NULL);
}

void hp_op_resize(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	struct hp_handle *handle;
	long result = 0;
	int error = hp_handle_get(lane, head->handle, &handle);

	if (error == 0 && (head->length > INT64_MAX || head->offset > INT64_MAX))
		error = EINVAL;
	if (error == 0)
		undo_resize(lane->home, handle, head);
	while (error == 0) {
		if (head->op == HPW_TRUNCATE)
			result = ftruncate(handle->fd, (off_t)head->length);
		else if (head->op == HPW_ALLOCATE)
			result = fallocate(handle->fd, (int)head->arg, (off_t)head->offset, (off_t)head->length);
		else
			result = fsync(handle->fd);
		if (result == 0)
			break;
		if (errno != EINTR && !(errno == ENOSPC && hp_undo_yield(lane->home)))
			error = errno;
	}
	if (handle != NULL && head->op != HPW_FSYNC)
		hp_handle_changed(lane->home, handle);
	hp_reply_open(lane, head, head->op);
	if (error == 0 && head->op != HPW_FSYNC)
		hp_entry_of_handle(lane, handle);
	hp_reply_close(lane, error, 0);
	hp_handle_put(lane->home, handle);
}

void hp_op_tmpfile(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	struct hp_found found = { .fd = -1 };
	int fd = -1, error = head->handle == 0 ? EINVAL : 0;

	if (error == 0)
		error = hp_walk(lane, call->first, HP_WALK_NOFOLLOW | HP_WALK_HANDLE, &found);
	if (error == 0 && !S_ISDIR(found.attr.mode))
		error = ENOTDIR;
	if (error == 0)
		error = hp_may_write(lane, found.fd, found.path, found.share);
	if (error == 0) {
		fd = openat(found.fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
			    hp_safe_mode(lane->home, found.fd, head->mode) & 07777);
		error = fd < 0 ? errno : hp_attr_read(lane->home, fd, "", &found.attr);
	}
	hp_reply_open(lane, head, HPW_TMPFILE);
	if (error == 0) {
		error = hp_handle_add(lane->home, head->handle, fd, O_RDWR, &found, true);
		fd = -1;
	}
	if (error == 0)
		hp_entry(lane, 0, found.path, hp_no_text(), &found.attr);
	hp_reply_close(lane, error, 0);
	if (fd >= 0)
		close(fd);
	hp_found_release(&found);
}
