/* Old content and removed inodes go into the journal. */
#define _GNU_SOURCE
#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

#define SMALLEST_SHIFT 12u
#define MOST_BLOCKS (8u << 20) /* bits for one file: a megabyte */
#define PIECE (1u << 20)

static int room(struct hp_journal *journal, uint64_t bytes)
{
	const struct hpj_log *log = &journal->log;
	uint64_t used = log->data_end - log->data_begin + (log->end - log->first) + journal->held_bytes;

	return used + bytes > journal->most_bytes ? -EDQUOT : 0;
}

/* Shares blocks where the file system can, and never leaves the kernel. */
int hpj_copy(int from, uint64_t at, int to, uint64_t place, uint64_t length)
{
	loff_t in = (loff_t)at, out = (loff_t)place;
	char *bytes = NULL;
	int error = 0;

	while (length > 0 && bytes == NULL) {
		ssize_t part = copy_file_range(from, &in, to, &out, length, 0);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0 && errno == ENOSPC)
			return -ENOSPC;
		if (part <= 0 && (bytes = malloc(PIECE)) == NULL)
			return -ENOMEM;
		if (part > 0)
			length -= (uint64_t)part;
	}
	while (length > 0 && error == 0) {
		ssize_t got = pread(from, bytes, length < PIECE ? length : PIECE, in), put;

		if (got == 0)
			break; /* others cut it off meanwhile: zeros */
		put = got < 0 ? got : pwrite(to, bytes, (size_t)got, out);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			error = put < 0 ? -errno : -EIO;
			break;
		}
		in += put;
		out += put;
		length -= (uint64_t)put;
	}
	free(bytes);
	return error;
}

static int save_run(struct hp_journal *journal, int fd, const struct stat *st, struct hp_text path, uint64_t from,
		    uint64_t to)
{
	struct hpj_log *log = &journal->log;
	int error = 0;

	while (from < to && error == 0) {
		off_t data = lseek(fd, (off_t)from, SEEK_DATA), hole;
		struct hpj_record record = { .kind = HPJ_DATA, .dev = st->st_dev, .ino = st->st_ino, .offset = from };

		if (data < 0)
			data = errno == ENXIO ? (off_t)to : (off_t)from;
		if ((uint64_t)data > from) {
			record.kind = HPJ_HOLE;
			record.length = ((uint64_t)data < to ? (uint64_t)data : to) - from;
		} else {
			hole = lseek(fd, (off_t)from, SEEK_HOLE);
			record.length = (hole > (off_t)from && (uint64_t)hole < to ? (uint64_t)hole : to) - from;
			record.place = (log->data_end + HPJ_ALIGN - 1) / HPJ_ALIGN * HPJ_ALIGN;
			error = room(journal, record.length);
			if (error == 0)
				error = hpj_copy(fd, from, log->data, record.place, record.length);
			if (error == 0)
				log->data_end = record.place + record.length;
		}
		if (error == 0)
			error = hpj_append(log, &record, path, hp_no_text(), NULL);
		from += record.length;
	}
	return error;
}

static bool has(const struct hp_touched *touched, uint64_t block)
{
	return touched->saved[block / 8] >> block % 8 & 1;
}

int hpj_save_range(hp_home *home, struct hp_touched *touched, int fd, const struct stat *st, struct hp_text path,
		   uint64_t from, uint64_t to)
{
	struct hp_journal *journal = home->journal;
	uint64_t block, last, run = 0;
	int error = 0, opened = -1;

	if (to > touched->base_bytes)
		to = touched->base_bytes;
	if (touched->created || from >= to)
		return 0;
	if (touched->saved == NULL) {
		touched->shift = SMALLEST_SHIFT;
		while (touched->base_bytes >> touched->shift > MOST_BLOCKS)
			touched->shift++;
		touched->saved = calloc(1, (touched->base_bytes >> touched->shift) / 8 + 1);
		if (touched->saved == NULL)
			return -ENOMEM;
	}
	last = (to - 1) >> touched->shift;
	for (block = from >> touched->shift; block <= last && error == 0; block++) {
		if (has(touched, block))
			continue;
		for (run = block; run < last && !has(touched, run + 1); run++)
			;
		if (opened < 0 && (opened = hp_reopen(home, fd, O_RDONLY)) < 0)
			return opened;
		from = block << touched->shift;
		to = (run + 1) << touched->shift;
		error = save_run(journal, opened, st, path, from, to < touched->base_bytes ? to : touched->base_bytes);
		for (; error == 0 && block < run; block++)
			touched->saved[block / 8] |= (uint8_t)(1u << block % 8);
		if (error == 0)
			touched->saved[run / 8] |= (uint8_t)(1u << run % 8);
	}
	if (opened >= 0)
		close(opened);
	return error;
}

/* name, NUL, length (4 bytes), value, and so on; NULL: none, or none that could be read. */
char *hpj_xattrs(int fd, size_t *length)
{
	char path[40], names[8192], value[8192], *all = NULL;
	ssize_t got, size;

	*length = 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	got = listxattr(path, names, sizeof(names));
	for (const char *name = names; got > 0 && name < names + got; name += strlen(name) + 1) {
		size_t name_len = strlen(name) + 1, more;
		uint32_t value_len;
		char *larger;

		if (strncmp(name, "security.", 9) == 0 || (size = getxattr(path, name, value, sizeof(value))) < 0)
			continue;
		value_len = (uint32_t)size;
		more = *length + name_len + sizeof(value_len) + value_len;
		larger = realloc(all, more);
		if (larger == NULL)
			break;
		all = larger;
		memcpy(all + *length, name, name_len);
		memcpy(all + *length + name_len, &value_len, sizeof(value_len));
		memcpy(all + *length + name_len + sizeof(value_len), value, value_len);
		*length = more;
	}
	return all;
}

static int hold_copy(hp_home *home, int fd, const struct stat *st, const char *hold)
{
	struct hp_journal *journal = home->journal;
	int from, to, error = room(journal, (uint64_t)st->st_blocks * 512);

	if (error != 0)
		return error;
	from = hp_reopen(home, fd, O_RDONLY);
	if (from < 0)
		return from;
	to = openat(journal->log.hold, hold, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	error = to < 0 ? -errno : 0;
	for (off_t at = 0, end; error == 0 && (at = lseek(from, at, SEEK_DATA)) >= 0 && at < st->st_size; at = end) {
		end = lseek(from, at, SEEK_HOLE);
		if (end <= at || end > st->st_size)
			end = st->st_size;
		error = hpj_copy(from, (uint64_t)at, to, (uint64_t)at, (uint64_t)(end - at));
	}
	if (error == 0 && ftruncate(to, st->st_size) != 0)
		error = -errno;
	if (to >= 0)
		close(to);
	close(from);
	if (error == 0)
		journal->held_bytes += (uint64_t)st->st_blocks * 512;
	return error;
}

static int hold_link(hp_home *home, int fd, const struct stat *st, const char *hold)
{
	struct hp_journal *journal = home->journal;
	uint64_t bytes = st->st_nlink == 1 ? (uint64_t)st->st_blocks * 512 : 0;
	char number[16];

	if (room(journal, bytes) != 0)
		return -EDQUOT;
	snprintf(number, sizeof(number), "%d", fd);
	if (linkat(home->proc_fd, number, journal->log.hold, hold, AT_SYMLINK_FOLLOW) != 0)
		return -EXDEV;
	return hpj_hold_add(journal, st->st_dev, st->st_ino, journal->log.sequence, bytes) ? 0 : -ENOMEM;
}

/* The inode itself if it can have a name in the journal: then it comes back with its number and its other
 * names. Else a copy, or what it takes to make it anew. */
int hpj_save_removed(hp_home *home, int fd, const struct stat *st, struct hp_text path)
{
	struct hp_journal *journal = home->journal;
	struct hpj_record record = {
		.kind = HPJ_REMOVED, .dev = st->st_dev, .ino = st->st_ino, .attr = hpj_attr_of(st)
	};
	struct hp_text more = hp_no_text();
	char hold[24], *text = NULL;
	int error = -EXDEV;

	hpj_hold_name(hold, journal->log.sequence);
	unlinkat(journal->log.hold, hold, 0); /* of what a roll-back left */
	if (!S_ISDIR(st->st_mode)) {
		error = hold_link(home, fd, st, hold);
		record.flags = HPJ_LINKED;
	}
	if (error == -EXDEV) {
		error = 0;
		record.flags = 0;
		if (S_ISREG(st->st_mode)) {
			record.flags = HPJ_COPIED;
			error = hold_copy(home, fd, st, hold);
		}
		if (S_ISLNK(st->st_mode)) {
			size_t space = 0;

			error = -hp_read_link(fd, "", &text, &space, &more.length);
		} else if (error == 0) {
			text = hpj_xattrs(fd, &more.length);
		}
		more.bytes = text;
	}
	if (error == 0)
		error = hpj_append(&journal->log, &record, path, more, NULL);
	free(text);
	return error;
}
