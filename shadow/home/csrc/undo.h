/* Between the files of the roll-back. It has no session: it may be a session of a killed process that it undoes. */
#ifndef HPOOL_UNDO_H
#define HPOOL_UNDO_H

#include "journal_log.h"

struct undo {
	struct hpj_log log;
	int root_fd, proc_fd, alias_fd, trouble_fd;
	struct undo_inode **inodes; /* by number: undo_find.c */
	size_t inode_buckets;
	char *report; /* lines: what could not be undone */
	size_t used, room;
	unsigned troubles;
};

/* What a record's roll-back made anew has another number: older records mean it by the old one. */
struct undo_alias {
	struct undo_alias *next; /* newest first */
	uint64_t sequence, now;
};

struct undo_name {
	struct undo_name *next;
	char *path;
};

struct undo_inode {
	struct undo_inode *next;
	uint64_t dev, ino;
	struct undo_alias *aliases;
	uint64_t hold;  /* number of the record that put it into hold/; HPJ_NEVER: none */
	bool foreign;  /* others have changed it since */
	struct undo_name *names; /* where it may be, the last heard first */
};

void undo_trouble(struct undo *, struct hp_text path, const char *what);

/* undo_find.c */
int undo_learn(struct undo *, const struct hpj_record *); /* in the order they were written */
int undo_name_add(struct undo *, uint64_t dev, uint64_t ino, struct hp_text path);
int undo_moved(struct undo *, const struct hpj_record *, struct hp_text from, struct hp_text to);
int undo_read_aliases(struct undo *);
int undo_add_alias(struct undo *, const struct hpj_record *, uint64_t now);
void undo_forget(struct undo *);
struct undo_inode *undo_inode_of(struct undo *, uint64_t dev, uint64_t ino);
bool undo_is(struct undo *, const struct hpj_record *,
	     const struct stat *); /* the record's inode, or what stands for it */
void undo_check(struct undo *); /* what have others changed? */
/* The directory of `path` and the name in it (inside `path`); -errno. */
int undo_parent(const struct undo *, struct hp_text path, const char **name);
int undo_open(const struct undo *, struct hp_text path, struct stat *); /* O_PATH, never following; -errno */
int undo_find(struct undo *, const struct hpj_record *, struct stat *); /* wherever the record's inode is now */
int undo_reopen(const struct undo *, int fd, int flags); /* whatever its mode says */

/* undo_names.c, undo_content.c: each may be done twice. */
void undo_made(struct undo *, const struct hpj_record *);
void undo_removed(struct undo *, const struct hpj_record *);
void undo_renamed(struct undo *, const struct hpj_record *);
void undo_touched(struct undo *, const struct hpj_record *);
void undo_data(struct undo *, const struct hpj_record *);
void undo_xattr(struct undo *, const struct hpj_record *);
int undo_set_attr(const struct undo *, int fd, const struct hpj_attr *, bool with_times);
void undo_set_xattrs(int fd, struct hp_text);

#endif
