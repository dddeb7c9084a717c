/* Where an inode is that a record speaks of, and whether it is still as the session left it. */
#define _GNU_SOURCE
#include "undo.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define BUCKETS 65536u
#define CHUNK 2048u /* a path is walked in pieces that the kernel takes */

static struct undo_inode **place_of(struct undo *undo, uint64_t dev, uint64_t ino)
{
	struct undo_inode **place = &undo->inodes[((ino * 0x9e3779b97f4a7c15ull ^ dev) >> 20) % undo->inode_buckets];

	while (*place != NULL && ((*place)->ino != ino || (*place)->dev != dev))
		place = &(*place)->next;
	return place;
}

struct undo_inode *undo_inode_of(struct undo *undo, uint64_t dev, uint64_t ino)
{
	return undo->inodes == NULL ? NULL : *place_of(undo, dev, ino);
}

static struct undo_inode *take(struct undo *undo, uint64_t dev, uint64_t ino)
{
	struct undo_inode **place;

	if (undo->inodes == NULL) {
		undo->inodes = calloc(BUCKETS, sizeof(struct undo_inode *));
		if (undo->inodes == NULL)
			return NULL;
		undo->inode_buckets = BUCKETS;
	}
	place = place_of(undo, dev, ino);
	if (*place == NULL && (*place = calloc(1, sizeof(**place))) != NULL) {
		(*place)->dev = dev;
		(*place)->ino = ino;
		(*place)->hold = HPJ_NEVER;
	}
	return *place;
}

void undo_forget(struct undo *undo)
{
	for (size_t i = 0; i < undo->inode_buckets; i++)
		while (undo->inodes[i] != NULL) {
			struct undo_inode *each = undo->inodes[i];

			undo->inodes[i] = each->next;
			while (each->aliases != NULL) {
				struct undo_alias *alias = each->aliases;

				each->aliases = alias->next;
				free(alias);
			}
			while (each->names != NULL) {
				struct undo_name *name = each->names;

				each->names = name->next;
				free(name->path);
				free(name);
			}
			free(each);
		}
	free(undo->inodes);
	undo->inodes = NULL;
	undo->inode_buckets = 0;
}

struct alias_line {
	uint64_t dev, old, sequence, now;
};

static int take_alias(struct undo *undo, const struct alias_line *line)
{
	struct undo_inode *inode = take(undo, line->dev, line->old);
	struct undo_alias *alias = inode == NULL ? NULL : malloc(sizeof(*alias));

	if (alias == NULL)
		return -ENOMEM;
	*alias = (struct undo_alias){ inode->aliases, line->sequence, line->now };
	inode->aliases = alias;
	return 0;
}

int undo_read_aliases(struct undo *undo)
{
	struct alias_line line;
	int error = 0;

	while (error == 0 && read(undo->alias_fd, &line, sizeof(line)) == sizeof(line))
		error = take_alias(undo, &line);
	return error;
}

int undo_add_alias(struct undo *undo, const struct hpj_record *record, uint64_t now)
{
	const struct alias_line line = { record->dev, record->ino, record->sequence, now };

	if (write(undo->alias_fd, &line, sizeof(line)) != sizeof(line))
		return -EIO;
	return take_alias(undo, &line);
}

static bool is_below(const char *path, struct hp_text directory)
{
	return strlen(path) > directory.length && memcmp(path, directory.bytes, directory.length) == 0 &&
	       path[directory.length] == '/';
}

/* What lay below `from` lies below `to`, and with `exchange` the other way round too. */
static void move_name(struct undo_name *name, struct hp_text from, struct hp_text to, bool exchange)
{
	bool moved = is_below(name->path, from);
	struct hp_text old = moved ? from : to, now = moved ? to : from;
	char *path;

	if (!moved && !(exchange && is_below(name->path, to)))
		return;
	if (asprintf(&path, "%.*s%s", (int)now.length, now.bytes, name->path + old.length) < 0)
		return;
	free(name->path);
	name->path = path;
}

/* What lay below `from` lies below `to`, and with `exchange` the other way round too. */
static void move_below(struct undo *undo, struct hp_text from, struct hp_text to, bool exchange)
{
	for (size_t i = 0; i < undo->inode_buckets; i++)
		for (struct undo_inode *each = undo->inodes[i]; each != NULL; each = each->next)
			for (struct undo_name *name = each->names; name != NULL; name = name->next)
				move_name(name, from, to, exchange);
}

int undo_name_add(struct undo *undo, uint64_t dev, uint64_t ino, struct hp_text path)
{
	struct undo_inode *inode = take(undo, dev, ino);
	struct undo_name *name;

	if (inode == NULL)
		return -ENOMEM;
	for (name = inode->names; name != NULL; name = name->next)
		if (strlen(name->path) == path.length && memcmp(name->path, path.bytes, path.length) == 0)
			return 0;
	name = malloc(sizeof(*name));
	if (name == NULL || (name->path = strndup(path.bytes, path.length)) == NULL) {
		free(name);
		return -ENOMEM;
	}
	name->next = inode->names;
	inode->names = name;
	return 0;
}

int undo_moved(struct undo *undo, const struct hpj_record *record, struct hp_text from, struct hp_text to)
{
	bool exchange = record->flags & HPJ_EXCHANGE;
	int error;

	if (exchange || S_ISDIR(record->attr.mode))
		move_below(undo, from, to, exchange);
	error = undo_name_add(undo, record->dev, record->ino, to);
	return error == 0 && exchange ? undo_name_add(undo, record->offset, record->length, from) : error;
}

int undo_learn(struct undo *undo, const struct hpj_record *record)
{
	bool made = record->kind == HPJ_MADE && record->made_ino != 0;
	struct undo_inode *inode;

	if (record->made_ino == HPJ_NEVER)
		return 0;
	switch ((enum hpj_kind)record->kind) {
	case HPJ_TOUCHED:
		return undo_name_add(undo, record->dev, record->ino, hpj_first(record));
	case HPJ_MADE:
		return made ? undo_name_add(undo, record->made_dev, record->made_ino, hpj_first(record)) : 0;
	case HPJ_RENAMED:
		return undo_moved(undo, record, hpj_first(record), hpj_second(record));
	case HPJ_REMOVED:
		inode = take(undo, record->dev, record->ino);
		if (inode == NULL)
			return -ENOMEM;
		if (record->flags & HPJ_LINKED)
			inode->hold = record->sequence;
		return 0;
	default:
		return 0;
	}
}

int undo_parent(const struct undo *undo, struct hp_text path, const char **name)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH };
	const char *at = path.bytes, *end = path.bytes + path.length, *last = memrchr(path.bytes, '/', path.length);
	int fd = openat(undo->root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (last == NULL || fd < 0) {
		if (fd >= 0)
			close(fd);
		return -EINVAL;
	}
	*name = last + 1 < end ? last + 1 : ".";
	while (fd >= 0 && at < last) {
		char piece[CHUNK + 257];
		size_t length;
		int next;

		while (at < last && *at == '/')
			at++;
		length = (size_t)(last - at);
		if (length > CHUNK) { /* cut at a slash */
			length = CHUNK;
			while (length < (size_t)(last - at) && at[length] != '/' && length < sizeof(piece) - 1)
				length++;
		}
		if (length == 0)
			break;
		memcpy(piece, at, length);
		piece[length] = 0;
		at += length;
		next = (int)syscall(SYS_openat2, fd, piece, &how, sizeof(how));
		next = next < 0 ? -errno : next;
		close(fd);
		fd = next;
	}
	return fd;
}

int undo_open(const struct undo *undo, struct hp_text path, struct stat *st)
{
	const char *name;
	int parent = undo_parent(undo, path, &name), fd;

	if (parent < 0)
		return parent;
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	fd = fd < 0 ? -errno : fd;
	close(parent);
	if (fd >= 0 && fstat(fd, st) != 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

bool undo_is(struct undo *undo, const struct hpj_record *record, const struct stat *st)
{
	const struct undo_inode *inode = undo_inode_of(undo, record->dev, record->ino);
	uint64_t ino = record->ino, nearest = HPJ_NEVER;

	for (const struct undo_alias *each = inode == NULL ? NULL : inode->aliases; each != NULL; each = each->next)
		if (each->sequence >= record->sequence && each->sequence < nearest) {
			nearest = each->sequence;
			ino = each->now;
		}
	return st->st_dev == record->dev && st->st_ino == ino;
}

static int open_if(struct undo *undo, struct hp_text path, const struct hpj_record *record, struct stat *st)
{
	int fd = undo_open(undo, path, st);

	if (fd < 0 || undo_is(undo, record, st))
		return fd;
	close(fd);
	return -ENOENT;
}

/* By the record's name, by another that it had or got, or in hold/. */
int undo_find(struct undo *undo, const struct hpj_record *record, struct stat *st)
{
	const struct undo_inode *inode = undo_inode_of(undo, record->dev, record->ino);
	char hold[24];
	int fd = open_if(undo, hpj_first(record), record, st);

	for (const struct undo_name *name = inode == NULL ? NULL : inode->names; fd < 0 && name != NULL;
	     name = name->next)
		fd = open_if(undo, (struct hp_text){ name->path, strlen(name->path) }, record, st);
	if (fd >= 0 || inode == NULL || inode->hold == HPJ_NEVER)
		return fd;
	hpj_hold_name(hold, inode->hold);
	fd = openat(undo->log.hold, hold, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, st) == 0 && undo_is(undo, record, st))
		return fd;
	close(fd);
	return -ENOENT;
}

/* Its owner may, even if the mode does not say so now. */
int undo_reopen(const struct undo *undo, int fd, int flags)
{
	char number[16];
	struct stat st;
	int opened;

	snprintf(number, sizeof(number), "%d", fd);
	opened = openat(undo->proc_fd, number, flags | O_CLOEXEC | O_NOCTTY);
	if (opened >= 0 || errno != EACCES || fstat(fd, &st) != 0)
		return opened >= 0 ? opened : -errno;
	if (fchmodat(undo->proc_fd, number, (st.st_mode & 07777) | S_IRUSR | S_IWUSR, 0) != 0)
		return -errno;
	opened = openat(undo->proc_fd, number, flags | O_CLOEXEC | O_NOCTTY);
	opened = opened < 0 ? -errno : opened;
	fchmodat(undo->proc_fd, number, st.st_mode & 07777, 0);
	return opened;
}

static void check_name(struct undo *undo, const struct hpj_slot *slot, struct undo_inode *inode, struct hp_text path)
{
	int64_t ctime_ns;
	struct stat st;
	int fd = undo_open(undo, path, &st);

	if (fd < 0)
		return;
	close(fd);
	if (st.st_dev != slot->dev || st.st_ino != slot->ino || inode->foreign)
		return;
	ctime_ns = st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
	if (!slot->foreign && (slot->busy || slot->ctime_ns == 0 || slot->ctime_ns == ctime_ns))
		return;
	inode->foreign = true;
	if (!S_ISDIR(st.st_mode))
		undo_trouble(undo, path, "others have changed it since");
}

void undo_check(struct undo *undo)
{
	const struct hpj_table *table = undo->log.table;

	for (uint64_t i = 0; i < table->count; i++) {
		const struct hpj_slot *slot = &table->slots[i];
		struct undo_inode *inode = slot->ino == 0 ? NULL : undo_inode_of(undo, slot->dev, slot->ino);

		for (struct undo_name *name = inode == NULL ? NULL : inode->names; name != NULL; name = name->next)
			check_name(undo, slot, inode, (struct hp_text){ name->path, strlen(name->path) });
	}
}
