/* LINKFILE: a file without a name gets one, be it that somebody else was quicker with it. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>

static bool named(struct hp_handle *handle, const struct hp_found *found)
{
	char *path = strndup(found->path.bytes, found->path.length);

	if (path == NULL)
		return false;
	free(handle->path);
	handle->path = path;
	handle->path_len = (uint32_t)found->path.length;
	handle->share = found->share;
	handle->unnamed = false;
	return true;
}

static void name_handle(hp_home *home, struct hp_handle *handle, const struct hp_found *found)
{
	pthread_mutex_lock(&home->lock);
	named(handle, found); /* without memory: the old path stays, which is a name for nobody's eyes */
	pthread_mutex_unlock(&home->lock);
}

/* Another file from now on. The lane that asks for it is the only one that uses the handle yet. */
static int replace_file(hp_home *home, struct hp_handle *handle, int fd, const struct hp_found *found)
{
	int old = fd;

	pthread_mutex_lock(&home->lock);
	if (handle->users == 1 && !handle->pinned && handle->append_fd < 0 && named(handle, found)) {
		old = handle->fd;
		handle->fd = fd;
		handle->dev = found->attr.dev;
		handle->ino = found->attr.ino;
	}
	pthread_mutex_unlock(&home->lock);
	close(old);
	return old == fd ? EEXIST : 0;
}

/* Somebody else was quicker with the name: O_CREAT and O_TRUNC mean his file too. */
static int take_over(hp_lane *lane, struct hp_handle *handle, struct hp_found *found, int flags)
{
	int error = hp_walk_look(lane, found), fd;

	if (error == 0 && !S_ISREG(found->attr.mode))
		error = EEXIST;
	if (error == 0)
		error = hp_may_write(lane, found->fd, found->path, found->share);
	if (error != 0)
		return error;
	if (flags & O_TRUNC)
		hp_undo_content(lane->home, found->fd, found->path, 0, UINT64_MAX);
	fd = hp_reopen(lane->home, found->fd, O_RDWR | (flags & O_TRUNC));
	if (flags & O_TRUNC)
		hp_undo_changed(lane->home, found->fd);
	return fd < 0 ? -fd : replace_file(lane->home, handle, fd, found);
}

static void set_times(int fd, struct hp_text text)
{
	struct hpw_attr attr;
	struct timespec times[2];

	if (text.length == 0)
		return;
	memcpy(&attr, text.bytes, sizeof(attr));
	times[0] = (struct timespec){ .tv_sec = attr.atime_s, .tv_nsec = attr.atime_ns };
	times[1] = (struct timespec){ .tv_sec = attr.mtime_s, .tv_nsec = attr.mtime_ns };
	futimens(fd, times); /* refused only if they are no times: then they stay as they are */
}

void hp_op_linkfile(hp_lane *lane, const struct hp_call *call)
{
	struct hp_found found = { .fd = -1 };
	struct hp_handle *handle;
	bool takes = call->head->arg & (O_TRUNC | O_CREAT);
	int error = hp_handle_get(lane, call->head->handle, &handle);

	if (error == 0)
		error = hp_walk(lane, call->first, HP_WALK_PARENT, &found);
	if (error == 0 && (hp_is_dots(found.name) || (!takes && hp_name_exists(&found))))
		error = EEXIST;
	if (error == 0 && found.slash)
		error = ENOENT;
	if (error == 0 && !handle->unnamed)
		error = EPERM; /* any other file has a name, and LINK checks it */
	if (error == 0)
		error = hp_may_change(lane, &found, false);
	if (error == 0) {
		uint64_t record;

		set_times(handle->fd, call->second);
		record = hp_undo_make(lane->home, &found, handle->fd, 0);
		error = hp_link_handle(lane->home, handle->fd, &found);
		hp_undo_made(lane->home, &found, record, error == 0);
		if (error == 0)
			name_handle(lane->home, handle, &found);
		else if (error == EEXIST && takes)
			error = take_over(lane, handle, &found, (int)call->head->arg);
	}
	hp_reply_open(lane, call->head, HPW_LINKFILE);
	if (error == 0) {
		hp_changed(lane, false);
		hp_handle_changed(lane->home, handle);
		hp_entry_of(lane, handle->fd, "", found.path, found.share);
		hp_entry_parent(lane, &found);
	}
	hp_reply_close(lane, error, 0);
	hp_handle_put(lane->home, handle);
	hp_found_release(&found);
}
