/* The undo journal on disk: what a roll-back needs, written before each change is made.
 *
 * A directory of the job's own, outside of everything it may see:
 *
 *   log    a header, then records (struct hpj_record, two strings), one behind the other
 *   data   old content, at multiples of 4 KiB, so that file systems that can share blocks do
 *   hold/  N: the file that record number N removed; the inode itself where it can be linked
 *          here, else a copy
 *   table  mapped: where the log ends, and when this session last changed each file
 *   lost   a sentence: why nothing can be undone any more
 *   alias  pairs of inode numbers: what a roll-back had to make anew
 *
 * Everything is in the kernel's hands before the change: it survives the end of any process, at
 * any moment. Nothing is synchronised to disk: the header names the boot, and a journal of another
 * one is refused.
 */
#ifndef HPOOL_JOURNAL_LOG_H
#define HPOOL_JOURNAL_LOG_H

#include "internal.h"

#define HPJ_NEVER UINT64_MAX /* base: no epoch can be gone back to before the next one begins */
#define HPJ_ALIGN 4096u

enum hpj_kind {
	HPJ_TOUCHED = 1, /* first change of an inode in this epoch; attr: as it was */
	HPJ_DATA = 2,    /* offset, length: old bytes of it lie in data at `place` */
	HPJ_HOLE = 3,    /* offset, length: there was nothing */
	HPJ_MADE = 4,    /* a name; made_ino, or ino if it was known before */
	HPJ_REMOVED = 5, /* a name; flags say where its inode is. attr; second: symlink's text or xattrs */
	HPJ_RENAMED = 6, /* first to second; ino: of what moved. EXCHANGE: offset, length: dev, ino of the other */
	HPJ_XATTR = 7,   /* second: name, NUL, old value */
	HPJ_EPOCH = 8,   /* offset: its number. place: the end of data */
};

enum hpj_flags {
	HPJ_LINKED = 1,   /* REMOVED: hold/N is the inode */
	HPJ_COPIED = 2,   /* REMOVED: hold/N is a copy */
	HPJ_EXCHANGE = 4, /* RENAMED */
	HPJ_CREATED = 8,  /* made in this epoch: it may be gone without a record */
	HPJ_ABSENT = 16,  /* XATTR: it was not there */
	HPJ_TAKEN = 32,   /* MADE: something had the name, so the call will fail */
};

struct hpj_attr {
	uint32_t mode, uid, gid, nlink;
	uint64_t size, rdev;
	int64_t atime_s, mtime_s;
	uint32_t atime_ns, mtime_ns;
};

struct hpj_record {
	uint32_t size, check; /* of what lies behind, made_* left out */
	uint16_t kind, flags;
	uint32_t len1, len2, reserved;
	uint64_t sequence, dev, ino, offset, length, place;
	struct hpj_attr attr;
	uint64_t made_dev, made_ino; /* filled in afterwards: of what was made; HPJ_NEVER: it was not done */
};
_Static_assert(sizeof(struct hpj_record) == 144, "record");

struct hpj_header {
	char magic[8];
	uint64_t base;  /* the oldest epoch that can be gone back to */
	uint64_t first; /* offset of the first record */
	char boot[40];
};

/* ctime: when the session last changed it, so that others' changes are noticed. */
struct hpj_slot {
	uint64_t dev, ino; /* ino 0: free */
	int64_t ctime_ns;
	uint32_t busy;    /* a change is being made */
	uint32_t foreign; /* others have changed it too */
};

struct hpj_table {
	uint64_t end; /* of the log: no record before it can be missing */
	uint64_t count;
	uint64_t reserved[2];
	struct hpj_slot slots[];
};

struct hpj_log {
	int directory, hold, log, data, table_fd;
	struct hpj_table *table;
	size_t table_bytes;
	uint64_t base, first, end, sequence;
	uint64_t data_begin, data_end; /* what lies before data_begin is forgotten */
};

struct hpj_index { /* of the records from the first on */
	uint64_t *at;
	size_t count, room;
};

int hpj_create(struct hpj_log *, const char *directory);
/* -ENODATA: there is none, or it was given up. -EBADMSG: damaged. -ESTALE: of another boot. -EBUSY: in use. */
int hpj_open(struct hpj_log *, const char *directory, struct hpj_index *);
void hpj_close(struct hpj_log *);
void hpj_index_free(struct hpj_index *);
int hpj_append(struct hpj_log *, struct hpj_record *, struct hp_text, struct hp_text, uint64_t *at);
/* The record with its strings behind it, NUL after each; free it. NULL: damaged. */
struct hpj_record *hpj_read(const struct hpj_log *, uint64_t at);
int hpj_cut(struct hpj_log *, uint64_t at);
int hpj_rebase(struct hpj_log *, uint64_t base, uint64_t first, uint64_t data_before);
int hpj_made(const struct hpj_log *, uint64_t at, uint64_t dev, uint64_t ino);
int64_t hpj_slot_take(struct hpj_log *, uint64_t dev, uint64_t ino); /* its number, or -errno */
void hpj_drop_holds(const struct hpj_log *, uint64_t from, uint64_t before); /* numbers in [from, before) */
void hpj_hold_name(char name[24], uint64_t sequence);

static inline struct hp_text hpj_first(const struct hpj_record *record)
{
	return (struct hp_text){ (const char *)(record + 1), record->len1 };
}

static inline struct hp_text hpj_second(const struct hpj_record *record)
{
	return (struct hp_text){ (const char *)(record + 1) + record->len1 + 1, record->len2 };
}

#endif
