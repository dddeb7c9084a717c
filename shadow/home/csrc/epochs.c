/* Epochs of a session: the journal's birth, marks in it, what is no longer needed, and giving it up. */
#define _GNU_SOURCE
#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static const char *reason(int error)
{
	switch (error) {
	case EDQUOT:
		return "what it changes is more than the journal may hold";
	case ENOSPC:
		return "there is no room left for the journal";
	case ECANCELED:
		return "the room that the journal took was needed for the job's own files";
	default:
		return strerror(error);
	}
}

/* Nothing can be undone until the next epoch begins. Said on disk first. */
void hpj_give_up(struct hp_journal *journal, int error)
{
	struct hpj_log *log = &journal->log;
	const char *why = reason(error);
	int fd = openat(log->directory, "lost", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	journal->lost = true;
	if (fd >= 0) {
		(void)!write(fd, why, strlen(why));
		close(fd);
	}
	hpj_holds_forget(journal, HPJ_NEVER);
	log->first = sizeof(struct hpj_header);
	hpj_rebase(log, HPJ_NEVER, log->first, 0);
	hpj_cut(log, log->first);
	(void)!ftruncate(log->data, 0);
	log->data_begin = log->data_end = 0;
	journal->mark_count = 0;
}

/* Home had no room for a change. Was some made? */
bool hp_undo_yield(hp_home *home)
{
	struct hp_journal *journal = home->journal;
	bool yields;

	if (journal == NULL)
		return false;
	pthread_mutex_lock(&journal->lock);
	yields = !journal->lost && journal->log.data_end - journal->log.data_begin + journal->held_bytes != 0;
	if (yields)
		hpj_give_up(journal, ECANCELED);
	pthread_mutex_unlock(&journal->lock);
	return yields;
}

void hp_undo_enter(hp_home *home)
{
	home->journal->changing++;
}

void hp_undo_leave(hp_home *home)
{
	home->journal->changing--;
}

static int mark(struct hp_journal *journal, const struct hpj_record *record, uint64_t at)
{
	if (journal->mark_count == HPJ_MARKS)
		return -EBUSY;
	journal->marks[journal->mark_count++] =
		(struct hpj_mark){ record->offset, at, record->sequence, record->place };
	journal->epoch = record->offset;
	return 0;
}

/* Goes on behind a mark, or at the beginning: what was changed since must have been undone. */
static int resume(struct hp_journal *journal, const struct hpj_index *index)
{
	struct hpj_record *record = NULL;
	uint16_t last = HPJ_EPOCH;
	int error = 0;

	for (size_t i = 0; i < index->count && error == 0; i++) {
		record = hpj_read(&journal->log, index->at[i]);
		if (record == NULL)
			return -EBADMSG;
		last = record->kind;
		if (record->kind == HPJ_EPOCH)
			error = mark(journal, record, index->at[i]);
		else if (record->kind == HPJ_REMOVED && (record->flags & HPJ_LINKED) &&
			 !hpj_hold_add(journal, record->dev, record->ino, record->sequence, 0))
			error = -ENOMEM;
		free(record);
	}
	return error == 0 && last != HPJ_EPOCH ? -ENOTEMPTY : error;
}

int hp_home_journal(hp_home *home, const char *directory, uint64_t most_bytes)
{
	struct hp_journal *journal = calloc(1, sizeof(*journal));
	struct hpj_index index = { 0 };
	int error;

	if (journal == NULL)
		return -ENOMEM;
	pthread_mutex_init(&journal->lock, NULL);
	journal->most_bytes = most_bytes;
	error = hpj_open(&journal->log, directory, &index);
	if (error == 0) {
		journal->lost = journal->log.base == HPJ_NEVER;
		error = faccessat(journal->log.directory, "undoing", F_OK, 0) == 0 ? -ENOTEMPTY :
										     resume(journal, &index);
	} else if (error == -ENODATA) {
		error = hpj_create(&journal->log, directory);
	}
	hpj_index_free(&index);
	home->journal = journal;
	if (error != 0)
		hp_undo_free(home);
	return error;
}

void hp_undo_free(hp_home *home)
{
	if (home->journal == NULL)
		return;
	hpj_touch_free(home->journal);
	hpj_close(&home->journal->log);
	pthread_mutex_destroy(&home->journal->lock);
	free(home->journal);
	home->journal = NULL;
}

/* Between two requests of the lane: whatever came before it belongs to the epoch before. The other lane has
 * nothing under way then: the starter waits for it first. */
static int begin_epoch(struct hp_journal *journal, uint64_t number)
{
	struct hpj_log *log = &journal->log;
	struct hpj_record record = { .kind = HPJ_EPOCH, .offset = number, .place = log->data_end };
	uint64_t at;
	int error;

	if (number != journal->epoch + 1)
		return -EINVAL;
	if (journal->changing != 0 || journal->mark_count == HPJ_MARKS)
		return -EBUSY;
	error = hpj_append(log, &record, hp_no_text(), hp_no_text(), &at);
	if (error == 0 && journal->lost)
		error = hpj_rebase(log, number, at, 0);
	if (error != 0)
		return error;
	if (journal->lost) {
		unlinkat(log->directory, "lost", 0);
		journal->lost = false;
	}
	return mark(journal, &record, at);
}

void hp_op_epoch(hp_lane *lane, const struct hp_call *call)
{
	struct hp_journal *journal = lane->home->journal;
	int error = journal == NULL ? -EOPNOTSUPP : 0;

	if (error == 0) {
		pthread_mutex_lock(&journal->lock);
		error = begin_epoch(journal, call->head->offset);
		pthread_mutex_unlock(&journal->lock);
	}
	hp_reply_error(lane, call->head, -error);
}

int hp_home_commit(hp_home *home, uint64_t epoch)
{
	struct hp_journal *journal = home->journal;
	int error = -ENOENT;

	if (journal == NULL)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&journal->lock);
	for (unsigned i = 0; i < journal->mark_count; i++) {
		struct hpj_mark found = journal->marks[i];

		if (found.epoch != epoch)
			continue;
		error = hpj_rebase(&journal->log, epoch, found.at, found.data_end);
		if (error != 0)
			break;
		hpj_holds_forget(journal, found.sequence);
		journal->mark_count -= i;
		memmove(journal->marks, journal->marks + i, journal->mark_count * sizeof(found));
		break;
	}
	pthread_mutex_unlock(&journal->lock);
	return error;
}

void hp_home_epochs(hp_home *home, struct hp_home_epochs *state)
{
	struct hp_journal *journal = home->journal;

	*state = (struct hp_home_epochs){ .oldest = HPJ_NEVER };
	if (journal == NULL)
		return;
	pthread_mutex_lock(&journal->lock);
	state->oldest = journal->log.base;
	state->newest = journal->epoch;
	state->records = journal->log.sequence;
	state->log_bytes = journal->log.end - journal->log.first;
	state->data_bytes = journal->log.data_end - journal->log.data_begin;
	state->held_bytes = journal->held_bytes;
	pthread_mutex_unlock(&journal->lock);
}
