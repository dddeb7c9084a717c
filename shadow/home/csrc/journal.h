/* Between the files of the undo journal. What the operations call is in internal.h. */
#ifndef HPOOL_JOURNAL_H
#define HPOOL_JOURNAL_H

#include "journal_log.h"

#define HPJ_MARKS 4096u

struct hp_touched { /* an inode that the session has changed, or that lies in hold/ */
	struct hp_touched *next;
	uint64_t dev, ino;
	uint64_t epoch; /* the next four are of this one; HPJ_NEVER: of none */
	bool created;
	uint64_t base_bytes; /* its size at its first change */
	uint8_t *saved;      /* a bit for each block of the old content that is in the journal; NULL: none */
	unsigned shift;      /* of a block */
	uint64_t slot;
	unsigned holds; /* names in hold/ */
};

struct hpj_held {
	struct hpj_held *next;
	uint64_t dev, ino, sequence, bytes;
};

struct hpj_mark {
	uint64_t epoch, at, sequence, data_end;
};

struct hp_journal {
	pthread_mutex_t lock; /* taken last */
	struct hpj_log log;
	uint64_t epoch; /* the newest */
	struct hpj_mark marks[HPJ_MARKS];
	unsigned mark_count;
	uint64_t most_bytes, held_bytes;
	_Atomic unsigned changing; /* operations under way that change something */
	_Atomic unsigned holds;    /* names in hold/: inodes have that many more than home shows */
	bool lost;
	struct hp_touched **buckets;
	size_t bucket_count, count;
	struct hpj_held *held;
};

/* journal_touch.c. All with the lock held. */
void hpj_touch_free(struct hp_journal *);
struct hp_touched *hpj_touched_any(struct hp_journal *, uint64_t dev, uint64_t ino);
struct hp_touched *hpj_touched_find(struct hp_journal *, uint64_t dev, uint64_t ino); /* in this epoch */
struct hp_touched *hpj_touched_take(struct hp_journal *, uint64_t dev, uint64_t ino); /* made if need be */
struct hp_touched *hpj_touched_new(struct hp_journal *, uint64_t dev, uint64_t ino, bool created, uint64_t size);
void hpj_touched_drop(struct hp_journal *, uint64_t dev, uint64_t ino);
bool hpj_hold_add(struct hp_journal *, uint64_t dev, uint64_t ino, uint64_t sequence, uint64_t bytes);
void hpj_holds_forget(struct hp_journal *, uint64_t before); /* and remove them */
struct hpj_attr hpj_attr_of(const struct stat *);

/* journal_save.c: old content and removed inodes, into the journal. 0 or -errno, with the lock held. */
int hpj_save_range(hp_home *, struct hp_touched *, int fd, const struct stat *, struct hp_text path, uint64_t from,
		   uint64_t to);
int hpj_save_removed(hp_home *, int fd, const struct stat *, struct hp_text path);
char *hpj_xattrs(int fd, size_t *length);
int hpj_copy(int from, uint64_t at, int to, uint64_t place, uint64_t length);

/* epochs.c, with the lock held */
void hpj_give_up(struct hp_journal *, int error);

#endif
