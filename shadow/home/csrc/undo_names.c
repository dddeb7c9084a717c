/* Names go back to what they stood for. Each may find that it was done already, or that the change was never made. */
#define _GNU_SOURCE
#include "undo.h"

#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

struct place { /* a name, in a directory that may be changed for the moment */
	int fd;
	const char *name;
	int mode; /* to be given back; -1: untouched */
};

/* Directories the job has made unwritable since: their mode comes back with their own record. */
static int place_open(const struct undo *undo, struct hp_text path, struct place *place)
{
	char number[16];
	struct stat st;

	*place = (struct place){ .mode = -1 };
	place->fd = undo_parent(undo, path, &place->name);
	if (place->fd < 0)
		return place->fd;
	if (geteuid() != 0 && fstat(place->fd, &st) == 0 && (st.st_mode & 0300) != 0300) {
		snprintf(number, sizeof(number), "%d", place->fd);
		if (fchmodat(undo->proc_fd, number, (st.st_mode & 07777) | 0700, 0) == 0)
			place->mode = (int)(st.st_mode & 07777);
	}
	return 0;
}

static void place_close(const struct undo *undo, struct place *place)
{
	char number[16];

	if (place->fd < 0)
		return;
	snprintf(number, sizeof(number), "%d", place->fd);
	if (place->mode >= 0)
		fchmodat(undo->proc_fd, number, (mode_t)place->mode, 0);
	close(place->fd);
}

static int move(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	struct stat st;

	if (syscall(SYS_renameat2, from_fd, from, to_fd, to, flags) == 0)
		return 0;
	if (errno != EINVAL || flags != RENAME_NOREPLACE)
		return -errno;
	/* The file system does not know the flag. */
	if (fstatat(to_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(from_fd, from, to_fd, to) == 0 ? 0 : -errno;
}

/* The process was killed between making it and writing down what it was: fresh, and nothing in it. */
static bool may_be_ours(const struct hpj_record *record, const struct stat *st)
{
	return (st->st_mode & S_IFMT) == (record->attr.mode & S_IFMT) &&
	       st->st_ctim.tv_sec + 1 >= record->attr.mtime_s && (!S_ISREG(st->st_mode) || st->st_size == 0);
}

void undo_made(struct undo *undo, const struct hpj_record *record)
{
	struct hpj_record made = *record;
	struct hp_text path = hpj_first(record);
	struct place place;
	struct stat st;
	int error;

	if (place_open(undo, path, &place) != 0)
		return;
	if (record->made_ino != 0) {
		made.dev = record->made_dev;
		made.ino = record->made_ino;
	}
	if (fstatat(place.fd, place.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		bool is_told = record->made_ino != 0; /* what became of it, before it was killed */
		bool ours = made.ino == 0 ? may_be_ours(record, &st) : undo_is(undo, &made, &st);

		error = 0;
		if (!is_told && (record->flags & HPJ_TAKEN))
			ours = false; /* it was there before, and the call failed */
		if (!ours && is_told)
			undo_trouble(undo, path, "others have put something else there");
		else if (ours && unlinkat(place.fd, place.name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) != 0)
			error = errno;
		if (error != 0)
			undo_trouble(undo, path,
				     error == ENOTEMPTY ? "others have put files into it" : strerror(error));
	}
	place_close(undo, &place);
}

static int copy_back(const struct undo *undo, const struct hpj_record *record, int to)
{
	char hold[24];
	struct stat st;
	int error = 0, from;

	hpj_hold_name(hold, record->sequence);
	from = openat(undo->log.hold, hold, O_RDONLY | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) != 0)
		return -errno;
	for (off_t at = 0, end; error == 0 && (at = lseek(from, at, SEEK_DATA)) >= 0; at = end) {
		end = lseek(from, at, SEEK_HOLE);
		if (end <= at)
			end = st.st_size;
		error = hpj_copy(from, (uint64_t)at, to, (uint64_t)at, (uint64_t)(end - at));
	}
	close(from);
	return error != 0 || ftruncate(to, st.st_size) == 0 ? error : -errno;
}

/* Under `name`, which nobody else uses. */
static int make_anew(const struct undo *undo, const struct hpj_record *record, int parent, const char *name)
{
	uint32_t mode = record->attr.mode;
	int error = 0, fd = -1;

	if (S_ISLNK(mode))
		return symlinkat(hpj_second(record).bytes, parent, name) == 0 ? 0 : -errno;
	if (S_ISDIR(mode))
		error = mkdirat(parent, name, 0700);
	else if (S_ISREG(mode))
		error = fd = openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	else
		error = mknodat(parent, name, (mode & S_IFMT) | 0600, record->attr.rdev);
	if (error < 0)
		return -errno;
	error = fd >= 0 ? copy_back(undo, record, fd) : 0;
	if (fd >= 0)
		close(fd);
	return error;
}

static int rebuild(struct undo *undo, const struct hpj_record *record, const struct place *place)
{
	char aside[40];
	struct stat st;
	int error, fd;

	snprintf(aside, sizeof(aside), ".hpool-undo-%llu", (unsigned long long)record->sequence);
	unlinkat(place->fd, aside, S_ISDIR(record->attr.mode) ? AT_REMOVEDIR : 0); /* a roll-back was killed here */
	error = make_anew(undo, record, place->fd, aside);
	if (error != 0)
		return error;
	fd = openat(place->fd, aside, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	error = fd < 0 || fstat(fd, &st) != 0 ? -errno : 0;
	if (error == 0 && !S_ISLNK(record->attr.mode))
		undo_set_xattrs(fd, hpj_second(record));
	if (error == 0)
		error = undo_set_attr(undo, fd, &record->attr, true);
	if (error == 0)
		error = undo_add_alias(undo, record, st.st_ino);
	if (fd >= 0)
		close(fd);
	if (error == 0)
		error = move(place->fd, aside, place->fd, place->name, RENAME_NOREPLACE);
	return error;
}

void undo_removed(struct undo *undo, const struct hpj_record *record)
{
	struct hp_text path = hpj_first(record);
	char hold[24];
	struct place place;
	struct stat st;
	int error = place_open(undo, path, &place);

	hpj_hold_name(hold, record->sequence);
	if (error == 0 && fstatat(place.fd, place.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!undo_is(undo, record, &st))
			undo_trouble(undo, path, "others have put something else there");
	} else if (error == 0 && (record->flags & HPJ_LINKED)) {
		error = move(undo->log.hold, hold, place.fd, place.name, RENAME_NOREPLACE);
	} else if (error == 0) {
		error = rebuild(undo, record, &place);
		if (error == 0 && S_ISREG(record->attr.mode) && record->attr.nlink > 1)
			undo_trouble(undo, path, "it had other names, and is a file of its own now");
	}
	if (error != 0)
		undo_trouble(undo, path, strerror(-error));
	else
		undo_name_add(undo, record->dev, record->ino, path);
	unlinkat(undo->log.hold, hold, 0);
	place_close(undo, &place);
}

static bool is_there(struct undo *undo, const struct hpj_record *record, const struct place *place, bool *exists)
{
	struct stat st;

	*exists = fstatat(place->fd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	return *exists && undo_is(undo, record, &st);
}

void undo_renamed(struct undo *undo, const struct hpj_record *record)
{
	struct hp_text from_path = hpj_first(record), to_path = hpj_second(record);
	struct hpj_record other = *record; /* what an exchange moved the other way */
	struct place from, to = { .fd = -1 };
	bool from_exists, to_exists, there, back;
	int error = place_open(undo, from_path, &from);

	if (error == 0)
		error = place_open(undo, to_path, &to);
	if (error != 0) {
		if (!(record->flags & HPJ_CREATED))
			undo_trouble(undo, from_path, strerror(-error));
		place_close(undo, &from);
		return;
	}
	other.dev = record->offset;
	other.ino = record->length;
	there = is_there(undo, record, &to, &to_exists);
	back = is_there(undo, record->flags & HPJ_EXCHANGE ? &other : record, &from, &from_exists);
	if (there && back && (record->flags & HPJ_EXCHANGE))
		error = move(to.fd, to.name, from.fd, from.name, RENAME_EXCHANGE);
	else if (there && !from_exists)
		error = move(to.fd, to.name, from.fd, from.name, RENAME_NOREPLACE);
	else if (back && !to_exists && (record->flags & HPJ_EXCHANGE))
		error = move(from.fd, from.name, to.fd, to.name, RENAME_NOREPLACE);
	else if (there)
		undo_trouble(undo, from_path, "others have put something else there");
	else if (!back && !from_exists && !(record->flags & (HPJ_CREATED | HPJ_EXCHANGE)))
		undo_trouble(undo, to_path, "others have taken it away");
	if (error != 0)
		undo_trouble(undo, from_path, strerror(-error));
	undo_moved(undo, record, to_path, from_path);
	place_close(undo, &from);
	place_close(undo, &to);
}
