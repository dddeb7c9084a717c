/* What the session has changed since its last mark: each inode's first change is recorded, later ones need not be. */
#define _GNU_SOURCE
#include "journal.h"

#include <fcntl.h>
#include <stdlib.h>

static struct hp_touched **place_of(struct hp_journal *journal, uint64_t dev, uint64_t ino)
{
	uint64_t hash = (ino * 0x9e3779b97f4a7c15ull) ^ dev;
	struct hp_touched **place = &journal->buckets[(hash >> 20) % journal->bucket_count];

	while (*place != NULL && ((*place)->ino != ino || (*place)->dev != dev))
		place = &(*place)->next;
	return place;
}

static bool grow(struct hp_journal *journal)
{
	size_t count = journal->bucket_count ? 4 * journal->bucket_count : 1024, old_count = journal->bucket_count;
	struct hp_touched **old = journal->buckets, **buckets = calloc(count, sizeof(*buckets));

	if (buckets == NULL)
		return old != NULL;
	journal->buckets = buckets;
	journal->bucket_count = count;
	for (size_t i = 0; i < old_count; i++)
		while (old[i] != NULL) {
			struct hp_touched *each = old[i];

			old[i] = each->next;
			each->next = NULL;
			*place_of(journal, each->dev, each->ino) = each;
		}
	free(old);
	return true;
}

void hpj_touch_free(struct hp_journal *journal)
{
	for (size_t i = 0; i < journal->bucket_count; i++)
		while (journal->buckets[i] != NULL) {
			struct hp_touched *each = journal->buckets[i];

			journal->buckets[i] = each->next;
			free(each->saved);
			free(each);
		}
	free(journal->buckets);
	journal->buckets = NULL;
	journal->bucket_count = journal->count = 0;
	while (journal->held != NULL) {
		struct hpj_held *held = journal->held;

		journal->held = held->next;
		free(held);
	}
}

struct hp_touched *hpj_touched_any(struct hp_journal *journal, uint64_t dev, uint64_t ino)
{
	return journal->count == 0 ? NULL : *place_of(journal, dev, ino);
}

struct hp_touched *hpj_touched_find(struct hp_journal *journal, uint64_t dev, uint64_t ino)
{
	struct hp_touched *found = hpj_touched_any(journal, dev, ino);

	return found != NULL && found->epoch == journal->epoch ? found : NULL;
}

struct hp_touched *hpj_touched_take(struct hp_journal *journal, uint64_t dev, uint64_t ino)
{
	struct hp_touched *touched, **place;
	int64_t slot;

	if (journal->count >= 2 * journal->bucket_count && !grow(journal))
		return NULL;
	place = place_of(journal, dev, ino);
	if (*place != NULL)
		return *place;
	slot = hpj_slot_take(&journal->log, dev, ino);
	touched = slot < 0 ? NULL : calloc(1, sizeof(*touched));
	if (touched == NULL)
		return NULL;
	touched->dev = dev;
	touched->ino = ino;
	touched->epoch = HPJ_NEVER;
	touched->slot = (uint64_t)slot;
	*place = touched;
	journal->count++;
	return touched;
}

struct hp_touched *hpj_touched_new(struct hp_journal *journal, uint64_t dev, uint64_t ino, bool created, uint64_t size)
{
	struct hp_touched *touched = hpj_touched_take(journal, dev, ino);

	if (touched == NULL)
		return NULL;
	free(touched->saved);
	touched->saved = NULL;
	touched->epoch = journal->epoch;
	touched->created = created;
	touched->base_bytes = size;
	return touched;
}

/* It is gone for good: its number may become another file's. */
void hpj_touched_drop(struct hp_journal *journal, uint64_t dev, uint64_t ino)
{
	struct hp_touched **place, *touched;

	if (journal->count == 0 || (touched = *(place = place_of(journal, dev, ino))) == NULL || touched->holds != 0)
		return;
	journal->log.table->slots[touched->slot].ino = 0;
	*place = touched->next;
	journal->count--;
	free(touched->saved);
	free(touched);
}

bool hpj_hold_add(struct hp_journal *journal, uint64_t dev, uint64_t ino, uint64_t sequence, uint64_t bytes)
{
	struct hpj_held *held = malloc(sizeof(*held));
	struct hp_touched *touched = held == NULL ? NULL : hpj_touched_take(journal, dev, ino);

	if (touched == NULL) {
		free(held);
		return false;
	}
	touched->holds++;
	*held = (struct hpj_held){ journal->held, dev, ino, sequence, bytes };
	journal->held = held;
	journal->holds++;
	journal->held_bytes += bytes;
	return true;
}

static int64_t ctime_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec : 0;
}

/* The inode may have other names: that it loses this one is no change of others'. */
static void let_go(const struct hp_journal *journal, const struct hpj_held *held, struct hp_touched *touched)
{
	struct hpj_slot *slot = &journal->log.table->slots[touched->slot];
	char name[24];
	int fd;

	hpj_hold_name(name, held->sequence);
	fd = openat(journal->log.hold, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (slot->ctime_ns != ctime_of(fd) && !slot->busy)
		slot->foreign |= slot->ctime_ns != 0;
	slot->busy = 1;
	unlinkat(journal->log.hold, name, 0);
	slot->ctime_ns = ctime_of(fd);
	slot->busy = 0;
	if (fd >= 0)
		close(fd);
	touched->holds--;
}

void hpj_holds_forget(struct hp_journal *journal, uint64_t before)
{
	for (struct hpj_held **place = &journal->held, *held; (held = *place) != NULL;) {
		struct hp_touched *touched;

		if (held->sequence >= before) {
			place = &held->next;
			continue;
		}
		touched = hpj_touched_any(journal, held->dev, held->ino);
		if (touched != NULL)
			let_go(journal, held, touched);
		journal->holds--;
		journal->held_bytes -= held->bytes;
		*place = held->next;
		free(held);
	}
	hpj_drop_holds(&journal->log, 0, before);
}

struct hpj_attr hpj_attr_of(const struct stat *st)
{
	return (struct hpj_attr){
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.nlink = (uint32_t)st->st_nlink,
		.size = (uint64_t)st->st_size,
		.rdev = st->st_rdev,
		.atime_s = st->st_atim.tv_sec,
		.mtime_s = st->st_mtim.tv_sec,
		.atime_ns = (uint32_t)st->st_atim.tv_nsec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
	};
}
