/* What the operations say before and after they change something, so that it can be undone.
 *
 * Before: a record, written ahead. After: when the inode was changed, so that others' changes are told from
 * the session's own. A job never fails because its journal does: what cannot be kept ends the journal, and
 * with it the way back, until the next epoch (epochs.c).
 */
#define _GNU_SOURCE
#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <time.h>

static bool begin(hp_home *home)
{
	if (home->journal == NULL)
		return false;
	pthread_mutex_lock(&home->journal->lock);
	if (!home->journal->lost)
		return true;
	pthread_mutex_unlock(&home->journal->lock);
	return false;
}

static void end(hp_home *home, int error)
{
	if (error != 0)
		hpj_give_up(home->journal, -error);
	pthread_mutex_unlock(&home->journal->lock);
}

static int64_t ctime_of(const struct stat *st)
{
	return st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

static struct hpj_slot *slot_of(const struct hp_journal *journal, const struct hp_touched *touched)
{
	return &journal->log.table->slots[touched->slot];
}

/* It is about to be changed. */
static void watch_others(struct hp_journal *journal, const struct hp_touched *touched, const struct stat *st)
{
	struct hpj_slot *slot = slot_of(journal, touched);

	if (!S_ISDIR(st->st_mode) && slot->ctime_ns != 0 && !slot->busy && slot->ctime_ns != ctime_of(st))
		slot->foreign = 1;
	slot->busy = 1;
}

/* It has been changed, by the session. */
static void changed(struct hp_journal *journal, const struct hp_touched *touched, const struct stat *st)
{
	struct hpj_slot *slot = slot_of(journal, touched);

	slot->ctime_ns = ctime_of(st);
	slot->busy = 0;
}

static void changes(struct hp_journal *journal, const struct stat *st)
{
	const struct hp_touched *touched = hpj_touched_any(journal, st->st_dev, st->st_ino);

	if (touched != NULL)
		watch_others(journal, touched, st);
}

/* The first change of an inode in this epoch. NULL: there is nothing to undo, or `error`. */
static struct hp_touched *touch(hp_home *home, const struct stat *st, struct hp_text path, int *error)
{
	struct hp_journal *journal = home->journal;
	struct hp_touched *touched = hpj_touched_find(journal, st->st_dev, st->st_ino);
	struct hpj_record record = {
		.kind = HPJ_TOUCHED, .dev = st->st_dev, .ino = st->st_ino, .attr = hpj_attr_of(st)
	};

	*error = 0;
	if (touched == NULL && st->st_nlink != 0) {
		const struct hp_touched *any = hpj_touched_any(journal, st->st_dev, st->st_ino);

		if (any != NULL)
			record.attr.nlink -= any->holds;
		*error = hpj_append(&journal->log, &record, path, hp_no_text(), NULL);
		if (*error != 0)
			return NULL;
		touched = hpj_touched_new(journal, st->st_dev, st->st_ino, false, (uint64_t)st->st_size);
		if (touched == NULL)
			*error = -ENOMEM;
	}
	if (touched != NULL)
		watch_others(journal, touched, st);
	return touched;
}

static int touch_parent(hp_home *home, int fd, struct hp_text path)
{
	struct stat st;
	int error = 0;

	if (fstat(fd, &st) == 0)
		touch(home, &st, path, &error);
	return error;
}

void hp_undo_content(hp_home *home, int fd, struct hp_text path, uint64_t from, uint64_t to)
{
	struct hp_touched *touched;
	struct stat st;
	int error;

	if (!begin(home))
		return;
	error = fstat(fd, &st) != 0 ? -errno : 0;
	touched = error != 0 ? NULL : touch(home, &st, path, &error);
	if (touched != NULL && S_ISREG(st.st_mode) && from < to)
		error = hpj_save_range(home, touched, fd, &st, path, from, to);
	end(home, error);
}

/* Is there anything to be recorded? Mostly not: then the path need not be copied. */
static bool is_quiet(hp_home *home, int fd, uint64_t from, uint64_t *size)
{
	struct hp_touched *touched;
	struct stat st;
	bool quiet = false;

	if (!begin(home))
		return true;
	if (fstat(fd, &st) == 0) {
		*size = (uint64_t)st.st_size;
		touched = hpj_touched_find(home->journal, st.st_dev, st.st_ino);
		quiet = st.st_nlink == 0 || (touched != NULL && (touched->created || from >= touched->base_bytes));
		if (quiet && touched != NULL)
			watch_others(home->journal, touched, &st);
	}
	end(home, 0);
	return quiet;
}

static char *path_of(hp_home *home, const struct hp_handle *handle)
{
	char *path;

	pthread_mutex_lock(&home->lock); /* a rename may change it */
	path = strdup(handle->path);
	pthread_mutex_unlock(&home->lock);
	return path;
}

void hp_undo_handle(hp_home *home, struct hp_handle *handle, uint64_t from, uint64_t to, uint64_t *size)
{
	uint64_t bytes;
	char *path;

	if (home->journal == NULL || is_quiet(home, handle->fd, from, size != NULL ? size : &bytes))
		return;
	path = path_of(home, handle);
	if (path != NULL)
		hp_undo_content(home, handle->fd, (struct hp_text){ path, strlen(path) }, from, to);
	else if (begin(home))
		end(home, -ENOMEM);
	free(path);
}

static int save_xattr(struct hp_journal *journal, int fd, struct hp_text path, const char *name)
{
	struct hpj_record record = { .kind = HPJ_XATTR };
	size_t name_len = strlen(name) + 1;
	char *text = malloc(name_len + HPW_MAX_XATTR), link[40];
	struct stat st;
	ssize_t got;
	int error = text == NULL ? -ENOMEM : fstat(fd, &st) != 0 ? -errno : 0;

	if (error == 0 && st.st_nlink != 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		memcpy(text, name, name_len);
		got = getxattr(link, name, text + name_len, HPW_MAX_XATTR);
		record.flags = got < 0 ? HPJ_ABSENT : 0;
		record.dev = st.st_dev;
		record.ino = st.st_ino;
		error = hpj_append(&journal->log, &record, path,
				   (struct hp_text){ text, name_len + (got < 0 ? 0 : (size_t)got) }, NULL);
	}
	free(text);
	return error;
}

void hp_undo_xattr(hp_home *home, struct hp_handle *handle, int fd, struct hp_text path, const char *name)
{
	char *copy = NULL;

	if (home->journal == NULL)
		return;
	if (handle != NULL) {
		copy = path_of(home, handle);
		path = (struct hp_text){ copy != NULL ? copy : "", copy != NULL ? strlen(copy) : 0 };
	}
	if (begin(home))
		end(home, save_xattr(home->journal, fd, path, name));
	free(copy);
}

/* A name is about to be made, for what `fd` is if it exists already. The record's place; 0: none. */
uint64_t hp_undo_make(hp_home *home, const struct hp_found *found, int fd, uint32_t type)
{
	struct hpj_record record = { .kind = HPJ_MADE, .attr.mode = type };
	struct timespec now;
	struct stat st;
	uint64_t at = 0;
	int error;

	if (!begin(home))
		return 0;
	error = touch_parent(home, found->parent_fd, hp_directory_of(found->path));
	clock_gettime(CLOCK_REALTIME, &now);
	record.attr.mtime_s = now.tv_sec;
	if (fstatat(found->parent_fd, found->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		record.flags = HPJ_TAKEN;
	if (fd >= 0 && fstat(fd, &st) == 0) {
		record.dev = st.st_dev;
		record.ino = st.st_ino;
		record.attr.mode = st.st_mode;
		changes(home->journal, &st);
	}
	if (error == 0)
		error = hpj_append(&home->journal->log, &record, found->path, hp_no_text(), &at);
	end(home, error);
	return error == 0 ? at : 0;
}

/* It has been made, or (`made` false) not. */
void hp_undo_made(hp_home *home, const struct hp_found *found, uint64_t at, bool made)
{
	struct hp_touched *touched;
	struct hp_journal *journal = home->journal;
	struct stat st;
	int error = 0;

	if (at == 0 || !begin(home))
		return;
	if (at >= journal->log.end) {
		/* The journal began anew meanwhile. */
	} else if (!made || fstatat(found->parent_fd, found->name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		error = hpj_made(&journal->log, at, HPJ_NEVER, HPJ_NEVER);
	} else {
		error = hpj_made(&journal->log, at, st.st_dev, st.st_ino);
		touched = hpj_touched_find(journal, st.st_dev, st.st_ino);
		if (touched == NULL && st.st_nlink == (S_ISDIR(st.st_mode) ? 2 : 1))
			touched = hpj_touched_new(journal, st.st_dev, st.st_ino, true, 0);
		if (touched != NULL)
			changed(journal, touched, &st);
	}
	end(home, error);
	hp_undo_changed(home, found->parent_fd);
}

uint64_t hp_undo_remove(hp_home *home, const struct hp_found *found)
{
	struct hp_touched *touched;
	struct stat st;
	uint64_t at = 0;
	int error;

	if (!begin(home))
		return 0;
	error = touch_parent(home, found->parent_fd, hp_directory_of(found->path));
	if (error == 0 && fstat(found->fd, &st) == 0) {
		changes(home->journal, &st);
		touched = hpj_touched_find(home->journal, st.st_dev, st.st_ino);
		/* Of what was made in this epoch nothing is missed but directories: names lead through them. */
		if (touched == NULL || !touched->created || S_ISDIR(st.st_mode)) {
			at = home->journal->log.end;
			error = hpj_save_removed(home, found->fd, &st, found->path);
		}
	}
	end(home, error);
	return error == 0 ? at : 0;
}

void hp_undo_removed(hp_home *home, const struct hp_found *found, uint64_t at, bool done)
{
	struct stat st;

	if (home->journal == NULL)
		return;
	if (!done)
		hp_undo_not(home, at);
	hp_undo_changed(home, found->parent_fd);
	hp_undo_changed(home, found->fd);
	if (!done || !begin(home))
		return;
	if (fstat(found->fd, &st) == 0 && (st.st_nlink == 0 || S_ISDIR(st.st_mode)))
		hpj_touched_drop(home->journal, st.st_dev, st.st_ino);
	end(home, 0);
}

void hp_undo_not(hp_home *home, uint64_t at)
{
	if (at == 0 || !begin(home))
		return;
	end(home, at < home->journal->log.end ? hpj_made(&home->journal->log, at, HPJ_NEVER, HPJ_NEVER) : 0);
}

uint64_t hp_undo_rename(hp_home *home, const struct hp_found *from, const struct hp_found *to, bool exchange)
{
	struct hpj_record record = { .kind = HPJ_RENAMED, .flags = exchange ? HPJ_EXCHANGE : 0 };
	struct hp_touched *touched;
	struct stat st;
	uint64_t at = 0;
	int error;

	if (!begin(home))
		return 0;
	error = touch_parent(home, from->parent_fd, hp_directory_of(from->path));
	if (error == 0)
		error = touch_parent(home, to->parent_fd, hp_directory_of(to->path));
	if (error == 0 && fstat(from->fd, &st) != 0)
		error = -errno;
	if (error == 0) {
		changes(home->journal, &st);
		touched = hpj_touched_find(home->journal, st.st_dev, st.st_ino);
		if (touched != NULL && touched->created)
			record.flags |= HPJ_CREATED;
		record.dev = st.st_dev;
		record.ino = st.st_ino;
		record.attr.mode = st.st_mode;
		if (exchange && fstat(to->fd, &st) == 0) {
			changes(home->journal, &st);
			record.offset = st.st_dev;
			record.length = st.st_ino;
		}
		error = hpj_append(&home->journal->log, &record, from->path, to->path, &at);
	}
	end(home, error);
	return error == 0 ? at : 0;
}

void hp_undo_changed_at(hp_home *home, const struct stat *st)
{
	struct hp_touched *touched;

	if (home->journal == NULL || !begin(home))
		return;
	touched = hpj_touched_any(home->journal, st->st_dev, st->st_ino);
	if (touched != NULL)
		changed(home->journal, touched, st);
	end(home, 0);
}

void hp_undo_changed(hp_home *home, int fd)
{
	struct stat st;

	if (home->journal != NULL && fstat(fd, &st) == 0)
		hp_undo_changed_at(home, &st);
}

void hp_undo_shared(hp_home *home, int fd)
{
	struct hp_touched *touched;
	struct stat st;

	if (home->journal == NULL || fstat(fd, &st) != 0 || !begin(home))
		return;
	touched = hpj_touched_any(home->journal, st.st_dev, st.st_ino);
	if (touched != NULL)
		slot_of(home->journal, touched)->foreign = 1;
	end(home, 0);
}

uint32_t hp_undo_links(hp_home *home, uint64_t dev, uint64_t ino)
{
	struct hp_touched *touched;
	uint32_t holds;

	if (home->journal == NULL || home->journal->holds == 0 || !begin(home))
		return 0;
	touched = hpj_touched_any(home->journal, dev, ino);
	holds = touched == NULL ? 0 : touched->holds;
	end(home, 0);
	return holds;
}
