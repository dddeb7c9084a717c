/* The journal's files: written, read again, cut off. What records mean is journal.c's and undo.c's. */
#define _GNU_SOURCE
#include "journal_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>

#define MAGIC "HPUNDO\0\1"
#define TABLE_BEGINS (64u << 10)
#define CHECKED_FROM offsetof(struct hpj_record, kind)
#define CHECKED_TO offsetof(struct hpj_record, made_dev)

static uint32_t checksum(const struct hpj_record *record, struct hp_text first, struct hp_text second)
{
	const struct hp_text parts[] = { { (const char *)record + CHECKED_FROM, CHECKED_TO - CHECKED_FROM },
					 first,
					 second };
	uint64_t sum = 0xcbf29ce484222325ull ^ record->size;

	for (unsigned i = 0; i < 3; i++)
		for (size_t at = 0; at < parts[i].length; at++)
			sum = (sum ^ (uint8_t)parts[i].bytes[at]) * 0x100000001b3ull;
	return (uint32_t)(sum ^ sum >> 32);
}

static int whole_write(int fd, const void *bytes, size_t length, uint64_t at)
{
	size_t done = 0;

	while (done < length) {
		ssize_t part = pwrite(fd, (const char *)bytes + done, length - done, (off_t)(at + done));

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return part < 0 ? -errno : -EIO;
		done += (size_t)part;
	}
	return 0;
}

static bool whole_read(int fd, void *bytes, size_t length, uint64_t at)
{
	size_t done = 0;

	while (done < length) {
		ssize_t part = pread(fd, (char *)bytes + done, length - done, (off_t)(at + done));

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return false;
		done += (size_t)part;
	}
	return true;
}

static void this_boot(char boot[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, boot, 36);

	memset(boot + (got > 0 ? got : 0), 0, 40 - (size_t)(got > 0 ? got : 0));
	if (fd >= 0)
		close(fd);
}

static int write_header(const struct hpj_log *log)
{
	struct hpj_header header = { .base = log->base, .first = log->first };

	memcpy(header.magic, MAGIC, sizeof(header.magic));
	this_boot(header.boot);
	return whole_write(log->log, &header, sizeof(header), 0);
}

static int map_table(struct hpj_log *log, size_t bytes)
{
	void *table;

	if (ftruncate(log->table_fd, (off_t)bytes) != 0)
		return -errno;
	/* Room is taken now: a store into a page that the disk has no room for would be a signal. */
	if (posix_fallocate(log->table_fd, 0, (off_t)bytes) != 0)
		return -ENOSPC;
	table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, log->table_fd, 0);
	if (table == MAP_FAILED)
		return -errno;
	if (log->table != NULL)
		munmap(log->table, log->table_bytes);
	log->table = table;
	log->table_bytes = bytes;
	return 0;
}

static int open_files(struct hpj_log *log, const char *directory, int flags)
{
	*log = (struct hpj_log){ .hold = -1, .log = -1, .data = -1, .table_fd = -1 };
	log->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->directory < 0)
		return -errno;
	if ((flags & O_CREAT) && mkdirat(log->directory, "hold", 0700) != 0 && errno != EEXIST)
		return -errno;
	log->hold = openat(log->directory, "hold", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	log->log = openat(log->directory, flags & O_CREAT ? "log.new" : "log", O_RDWR | O_CLOEXEC | flags, 0600);
	log->data = openat(log->directory, "data", O_RDWR | O_CLOEXEC | flags, 0600);
	log->table_fd = openat(log->directory, "table", O_RDWR | O_CLOEXEC | flags, 0600);
	if (log->hold < 0 || log->log < 0 || log->data < 0 || log->table_fd < 0)
		return -errno;
	return flock(log->log, LOCK_EX | LOCK_NB) == 0 ? 0 : -EBUSY;
}

int hpj_create(struct hpj_log *log, const char *directory)
{
	int error = open_files(log, directory, O_CREAT | O_TRUNC);

	log->first = log->end = sizeof(struct hpj_header);
	if (error == 0)
		error = map_table(log, TABLE_BEGINS);
	if (error == 0) {
		log->table->end = log->end;
		error = write_header(log);
	}
	/* A log is whole from the beginning. */
	if (error == 0 && renameat(log->directory, "log.new", log->directory, "log") != 0)
		error = -errno;
	if (error != 0)
		hpj_close(log);
	return error;
}

void hpj_close(struct hpj_log *log)
{
	const int fds[] = { log->directory, log->hold, log->log, log->data, log->table_fd };

	if (log->table != NULL)
		munmap(log->table, log->table_bytes);
	log->table = NULL;
	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	log->directory = log->hold = log->log = log->data = log->table_fd = -1;
}

void hpj_index_free(struct hpj_index *index)
{
	free(index->at);
	*index = (struct hpj_index){ 0 };
}

struct hpj_record *hpj_read(const struct hpj_log *log, uint64_t at)
{
	struct hpj_record head, *record;
	uint64_t texts;
	char *strings;

	if (!whole_read(log->log, &head, sizeof(head), at))
		return NULL;
	texts = (uint64_t)head.len1 + head.len2;
	if (texts > HPW_MAX_RECORD || head.size != HPW_ALIGN(sizeof(head) + texts))
		return NULL;
	record = calloc(1, sizeof(head) + texts + 2);
	if (record == NULL)
		return NULL;
	*record = head;
	strings = (char *)(record + 1);
	if (!whole_read(log->log, strings, head.len1, at + sizeof(head)) ||
	    !whole_read(log->log, strings + head.len1 + 1, head.len2, at + sizeof(head) + head.len1) ||
	    checksum(record, hpj_first(record), hpj_second(record)) != head.check) {
		free(record);
		return NULL;
	}
	return record;
}

/* Records are read until one is not whole: the last one may be torn, as its change was then not made yet. */
static int scan(struct hpj_log *log, struct hpj_index *index)
{
	struct hpj_record *record;

	log->end = log->first;
	log->data_begin = HPJ_NEVER;
	while ((record = hpj_read(log, log->end)) != NULL) {
		uint64_t size = record->size, behind = record->sequence + 1;

		if (record->kind == HPJ_DATA) {
			log->data_end = record->place + record->length;
			if (log->data_begin == HPJ_NEVER)
				log->data_begin = record->place;
		}
		free(record);
		if (index->count == index->room) {
			size_t room = index->room ? 2 * index->room : 1024;
			uint64_t *at = realloc(index->at, room * sizeof(*at));

			if (at == NULL)
				return -ENOMEM;
			index->at = at;
			index->room = room;
		}
		index->at[index->count++] = log->end;
		log->end += size;
		log->sequence = behind;
	}
	if (log->data_begin == HPJ_NEVER)
		log->data_begin = log->data_end;
	return log->end < log->table->end ? -EBADMSG : 0;
}

int hpj_open(struct hpj_log *log, const char *directory, struct hpj_index *index)
{
	struct hpj_header header, now;
	struct stat st;
	int error = open_files(log, directory, 0);

	*index = (struct hpj_index){ 0 };
	if (error == -ENOENT)
		error = -ENODATA;
	if (error == 0 && (!whole_read(log->log, &header, sizeof(header), 0) ||
			   memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0 || fstat(log->table_fd, &st) != 0 ||
			   (size_t)st.st_size < TABLE_BEGINS))
		error = -EBADMSG;
	if (error == 0) {
		log->base = header.base;
		log->first = header.first;
		this_boot(now.boot);
		if (memcmp(now.boot, header.boot, sizeof(now.boot)) != 0)
			error = -ESTALE;
	}
	if (error == 0)
		error = map_table(log, (size_t)st.st_size);
	if (error == 0 && log->table->count > (log->table_bytes - sizeof(*log->table)) / sizeof(struct hpj_slot))
		error = -EBADMSG;
	if (error == 0)
		error = scan(log, index);
	if (error != 0) {
		hpj_index_free(index);
		hpj_close(log);
	}
	return error;
}

int hpj_append(struct hpj_log *log, struct hpj_record *record, struct hp_text first, struct hp_text second,
	       uint64_t *at)
{
	size_t size = HPW_ALIGN(sizeof(*record) + first.length + second.length);
	uint8_t small[1024], *bytes = size <= sizeof(small) ? small : malloc(size);
	int error;

	if (bytes == NULL)
		return -ENOMEM;
	record->size = (uint32_t)size;
	record->len1 = (uint32_t)first.length;
	record->len2 = (uint32_t)second.length;
	record->sequence = log->sequence;
	record->check = checksum(record, first, second);
	memcpy(bytes, record, sizeof(*record));
	memcpy(bytes + sizeof(*record), first.bytes, first.length);
	memcpy(bytes + sizeof(*record) + first.length, second.bytes, second.length);
	memset(bytes + sizeof(*record) + first.length + second.length, 0,
	       size - sizeof(*record) - first.length - second.length);
	error = whole_write(log->log, bytes, size, log->end);
	if (bytes != small)
		free(bytes);
	if (error != 0)
		return error;
	if (at != NULL)
		*at = log->end;
	log->end += size;
	log->table->end = log->end;
	log->sequence++;
	return 0;
}

/* What lies behind `at` has been undone. The table says so first: a log that is longer does no harm. */
int hpj_cut(struct hpj_log *log, uint64_t at)
{
	log->table->end = log->end = at;
	return ftruncate(log->log, (off_t)at) == 0 ? 0 : -errno;
}

/* Forgets what lies before `first`; the room goes back where the file system can give it. */
int hpj_rebase(struct hpj_log *log, uint64_t base, uint64_t first, uint64_t data_before)
{
	const int how = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	uint64_t old = log->first;
	int error;

	log->base = base;
	log->first = first;
	if (data_before > log->data_begin)
		log->data_begin = data_before;
	error = write_header(log);
	if (error == 0 && first > old)
		(void)!fallocate(log->log, how, (off_t)old, (off_t)(first - old));
	if (error == 0 && data_before > 0)
		(void)!fallocate(log->data, how, 0, (off_t)data_before);
	return error;
}

int hpj_made(const struct hpj_log *log, uint64_t at, uint64_t dev, uint64_t ino)
{
	const uint64_t made[2] = { dev, ino };

	return whole_write(log->log, made, sizeof(made), at + offsetof(struct hpj_record, made_dev));
}

int64_t hpj_slot_take(struct hpj_log *log, uint64_t dev, uint64_t ino)
{
	struct hpj_table *table = log->table;
	uint64_t number = table->count;

	if (sizeof(*table) + (number + 1) * sizeof(struct hpj_slot) > log->table_bytes) {
		int error = map_table(log, log->table_bytes * 2);

		if (error != 0)
			return error;
		table = log->table;
	}
	table->slots[number] = (struct hpj_slot){ .dev = dev, .ino = ino, .busy = 1 };
	table->count = number + 1;
	return (int64_t)number;
}

void hpj_hold_name(char name[24], uint64_t sequence)
{
	snprintf(name, 24, "%llu", (unsigned long long)sequence);
}

void hpj_drop_holds(const struct hpj_log *log, uint64_t from, uint64_t before)
{
	int fd = openat(log->hold, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *names = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *each;

	if (names == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((each = readdir(names)) != NULL) {
		char *rest;
		uint64_t number = strtoull(each->d_name, &rest, 10);

		if (*rest == 0 && rest != each->d_name && number >= from && number < before)
			unlinkat(log->hold, each->d_name, 0);
	}
	closedir(names);
}
