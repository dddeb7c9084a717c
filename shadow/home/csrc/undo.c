/* Roll-back: everything behind a mark is undone, the newest first.
 *
 * What has been undone is cut off the journal, so that a roll-back that was killed goes on where it was; at
 * most one record is undone twice, which each of them allows. Names are canonical and walked without
 * following anything: what was planted meanwhile leads nowhere.
 */
#define _GNU_SOURCE
#include "undo.h"

#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

void undo_trouble(struct undo *undo, struct hp_text path, const char *what)
{
	size_t room = undo->room - undo->used;
	int length = snprintf(undo->report + undo->used, room, "%.*s: %s\n", (int)path.length, path.bytes, what);

	undo->troubles++;
	if (length > 0 && (size_t)length < room) {
		if (undo->trouble_fd >= 0)
			(void)!write(undo->trouble_fd, undo->report + undo->used, (size_t)length);
		undo->used += (size_t)length;
	}
	undo->report[undo->used] = 0;
}

/* A roll-back that goes on: what the killed one could not do is not to be forgotten. */
static bool goes_on(struct undo *undo)
{
	ssize_t got;

	undo->trouble_fd = openat(undo->log.directory, "undoing", O_RDWR | O_APPEND | O_CLOEXEC);
	if (undo->trouble_fd < 0)
		return false;
	got = read(undo->trouble_fd, undo->report, undo->room - 1);
	undo->used = got > 0 ? (size_t)got : 0;
	undo->report[undo->used] = 0;
	for (const char *at = undo->report; *at != 0; at++)
		undo->troubles += *at == '\n';
	return true;
}

static int begin_undoing(struct undo *undo, bool forced)
{
	if (goes_on(undo))
		return 0;
	undo_check(undo);
	if (undo->troubles != 0 && !forced)
		return -EEXIST;
	undo->troubles = 0;
	undo->used = 0;
	undo->report[0] = 0;
	undo->trouble_fd = openat(undo->log.directory, "undoing", O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	return undo->trouble_fd < 0 ? -errno : 0;
}

static void undo_one(struct undo *undo, const struct hpj_record *record)
{
	if (record->made_ino == HPJ_NEVER)
		return;
	switch ((enum hpj_kind)record->kind) {
	case HPJ_TOUCHED:
		undo_touched(undo, record);
		break;
	case HPJ_DATA:
	case HPJ_HOLE:
		undo_data(undo, record);
		break;
	case HPJ_MADE:
		undo_made(undo, record);
		break;
	case HPJ_REMOVED:
		undo_removed(undo, record);
		break;
	case HPJ_RENAMED:
		undo_renamed(undo, record);
		break;
	case HPJ_XATTR:
		undo_xattr(undo, record);
		break;
	case HPJ_EPOCH:
		break;
	}
}

/* The first record behind the mark; learns on the way what the others say. */
static long find_mark(struct undo *undo, const struct hpj_index *index, uint64_t epoch)
{
	long begin = undo->log.base == epoch ? 0 : -1;

	for (size_t i = 0; i < index->count; i++) {
		struct hpj_record *record = hpj_read(&undo->log, index->at[i]);
		int error = record == NULL ? -EBADMSG : undo_learn(undo, record);

		if (error == 0 && record->kind == HPJ_EPOCH && record->offset == epoch)
			begin = (long)i + 1;
		free(record);
		if (error != 0)
			return error;
	}
	return begin < 0 ? -ENOENT : begin;
}

static int undo_all(struct undo *undo, const struct hpj_index *index, long begin)
{
	int error = 0;

	for (size_t i = index->count; i > (size_t)begin && error == 0; i--) {
		struct hpj_record *record = hpj_read(&undo->log, index->at[i - 1]);

		if (record == NULL)
			return -EBADMSG;
		undo_one(undo, record);
		error = hpj_cut(&undo->log, index->at[i - 1]);
		undo->log.sequence = record->sequence;
		free(record);
	}
	return error;
}

/* Numbers of inodes made anew mean something between older records and what is there now. The session that
 * goes on will give them another meaning: then there is no way back beyond this epoch. */
static int forget_aliases(struct undo *undo, const struct hpj_index *index, long begin, uint64_t epoch)
{
	struct stat st;
	int error = 0;

	if (begin > 0 && fstat(undo->alias_fd, &st) == 0 && st.st_size != 0)
		error = hpj_rebase(&undo->log, epoch, index->at[begin - 1], 0);
	if (error == 0)
		unlinkat(undo->log.directory, "alias", 0);
	return error;
}

static int roll_back(struct undo *undo, const struct hpj_index *index, uint64_t epoch, bool forced)
{
	long begin;
	int error = undo_read_aliases(undo);

	if (error != 0)
		return error;
	if (undo->log.base == HPJ_NEVER)
		return -ENODATA;
	begin = find_mark(undo, index, epoch);
	if (begin < 0)
		return (int)begin;
	error = begin_undoing(undo, forced);
	if (error == 0)
		error = undo_all(undo, index, begin);
	if (error != 0)
		return error;
	hpj_drop_holds(&undo->log, undo->log.sequence, HPJ_NEVER);
	/* The next session knows nothing of others' changes until it has made one of its own. */
	undo->log.table->count = 0;
	error = forget_aliases(undo, index, begin, epoch);
	if (error != 0)
		return error;
	if (undo->troubles == 0) /* else this is its answer from now on */
		unlinkat(undo->log.directory, "undoing", 0);
	return (int)undo->troubles;
}

int hp_rollback(const char *directory, uint64_t epoch, int forced, char *report, size_t room)
{
	struct undo undo = {
		.root_fd = -1, .proc_fd = -1, .alias_fd = -1, .trouble_fd = -1, .report = report, .room = room
	};
	struct hpj_index index;
	int error;

	report[0] = 0;
	error = hpj_open(&undo.log, directory, &index);
	if (error != 0)
		return error;
	undo.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	undo.proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	undo.alias_fd = openat(undo.log.directory, "alias", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (undo.root_fd < 0 || undo.proc_fd < 0 || undo.alias_fd < 0)
		error = -errno;
	if (error == 0)
		error = roll_back(&undo, &index, epoch, forced != 0);
	undo_forget(&undo);
	hpj_index_free(&index);
	hpj_close(&undo.log);
	close(undo.root_fd);
	close(undo.proc_fd);
	close(undo.alias_fd);
	close(undo.trouble_fd);
	return error;
}
