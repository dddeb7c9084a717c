/* Content and attributes go back to what they were. */
#define _GNU_SOURCE
#include "undo.h"

#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

#define ZEROS 65536u

static bool is_foreign(struct undo *undo, const struct hpj_record *record)
{
	const struct undo_inode *inode = undo_inode_of(undo, record->dev, record->ino);

	return inode != NULL && inode->foreign;
}

int undo_set_attr(const struct undo *undo, int fd, const struct hpj_attr *attr, bool with_times)
{
	const struct timespec times[2] = { { attr->atime_s, attr->atime_ns }, { attr->mtime_s, attr->mtime_ns } };
	char number[16];
	struct stat st;

	snprintf(number, sizeof(number), "%d", fd);
	if (fstat(fd, &st) != 0)
		return -errno;
	if ((st.st_uid != attr->uid || st.st_gid != attr->gid) &&
	    fchownat(fd, "", attr->uid, attr->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
		return -errno;
	if (!S_ISLNK(attr->mode) && fstat(fd, &st) == 0 && ((st.st_mode ^ attr->mode) & 07777) &&
	    fchmodat(undo->proc_fd, number, attr->mode & 07777, 0) != 0)
		return -errno;
	if (with_times && utimensat(fd, "", times, AT_EMPTY_PATH) != 0)
		return -errno;
	return 0;
}

void undo_touched(struct undo *undo, const struct hpj_record *record)
{
	struct hp_text path = hpj_first(record);
	int fd, opened, error = 0;
	struct stat st;

	fd = undo_find(undo, record, &st);
	if (fd < 0) {
		if (record->attr.nlink != 0) /* else it had no name any more, and is gone with its epoch */
			undo_trouble(undo, path, "others have taken it away");
		return;
	}
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size != record->attr.size) {
		opened = undo_reopen(undo, fd, O_WRONLY);
		error = opened < 0 ? opened : ftruncate(opened, (off_t)record->attr.size) != 0 ? -errno : 0;
		if (opened >= 0)
			close(opened);
	}
	if (error == 0)
		error = undo_set_attr(undo, fd, &record->attr, !S_ISDIR(st.st_mode) || !is_foreign(undo, record));
	if (error != 0)
		undo_trouble(undo, path, strerror(-error));
	close(fd);
}

static int write_zeros(int fd, uint64_t offset, uint64_t length)
{
	char *zeros = calloc(1, ZEROS);
	int error = zeros == NULL ? -ENOMEM : 0;

	while (length > 0 && error == 0) {
		ssize_t part = pwrite(fd, zeros, length < ZEROS ? length : ZEROS, (off_t)offset);

		if (part <= 0)
			error = part < 0 ? -errno : -EIO;
		else
			length -= (uint64_t)part, offset += (uint64_t)part;
	}
	free(zeros);
	return error;
}

static int put_back(const struct undo *undo, const struct hpj_record *record, int fd, const struct stat *st)
{
	uint64_t end = record->offset + record->length;

	if (record->kind == HPJ_DATA)
		return hpj_copy(undo->log.data, record->place, fd, record->offset, record->length);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)record->offset, (off_t)record->length) ==
	    0)
		return 0;
	if (end > (uint64_t)st->st_size) /* what lies beyond its end is none either */
		end = (uint64_t)st->st_size;
	return record->offset < end ? write_zeros(fd, record->offset, end - record->offset) : 0;
}

/* What cannot be found is the first record's to tell. */
void undo_data(struct undo *undo, const struct hpj_record *record)
{
	struct stat st;
	int fd = undo_find(undo, record, &st), opened, error;

	if (fd < 0)
		return;
	opened = undo_reopen(undo, fd, O_RDWR);
	error = opened < 0 ? opened : put_back(undo, record, opened, &st);
	if (opened >= 0)
		close(opened);
	if (error != 0)
		undo_trouble(undo, hpj_first(record), strerror(-error));
	close(fd);
}

void undo_set_xattrs(int fd, struct hp_text all)
{
	char path[40];
	size_t at = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	while (at < all.length) {
		const char *name = all.bytes + at;
		uint32_t value_len;

		at += strlen(name) + 1;
		memcpy(&value_len, all.bytes + at, sizeof(value_len));
		at += sizeof(value_len);
		setxattr(path, name, all.bytes + at, value_len, 0);
		at += value_len;
	}
}

void undo_xattr(struct undo *undo, const struct hpj_record *record)
{
	struct hp_text text = hpj_second(record);
	size_t name_len = strlen(text.bytes) + 1;
	char path[40];
	struct stat st;
	int fd = undo_find(undo, record, &st), failed = 0;

	if (fd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!(record->flags & HPJ_ABSENT))
		failed = setxattr(path, text.bytes, text.bytes + name_len, text.length - name_len, 0) != 0;
	else if (getxattr(path, text.bytes, NULL, 0) >= 0)
		failed = removexattr(path, text.bytes) != 0;
	if (failed)
		undo_trouble(undo, hpj_first(record), strerror(errno));
	close(fd);
}
