/* The submitter's side of the file service: executes batches of home_wire.h
 * requests against the submitter's file system, under the sharing policy.
 *
 * The peer is thought hostile. Every path is walked here, one component at a
 * time, from directory handles that are held (openat2, O_PATH | O_NOFOLLOW);
 * symlinks are expanded by the walk itself, so policy sees each step. Files
 * are opened by way of the O_PATH handle that was checked, never by name a
 * second time.
 *
 * hp_home is thread-safe; an hp_lane belongs to one thread at a time, several
 * lanes share an hp_home. Creating an hp_home sets the process's umask to 0
 * (requests carry modes with the job's umask applied) and raises the soft
 * limit of open files to the hard one.
 *
 * Needs Linux 5.8 (openat2, faccessat2) and /proc.
 */
#ifndef HPOOL_HOME_H
#define HPOOL_HOME_H

#include <stddef.h>
#include <stdint.h>

#include "home_wire.h"

typedef struct hp_home hp_home; /* the session: policy, handles, reply cache */
typedef struct hp_lane hp_lane; /* one stream of it: buffers of the walk and of the reply */

enum hp_share {
	HP_SHARE_RO = 0,
	HP_SHARE_RW = 1,
	HP_SHARE_HIDE = 2, /* the name is seen, nothing else: EACCES */
};

/* A canonical absolute path; the most specific rule decides. The last component
 * of a HIDE rule may be a pattern (fnmatch). A hidden object is also known by
 * device and inode (looked up again each second), so a hard link or bind mount
 * elsewhere does not reveal it. A path that is a rule, or above one, cannot be
 * renamed or removed by the job: what lies under it would change its rule. */
struct hp_home_rule {
	const char *path;
	uint32_t share;
};

struct hp_home_policy {
	const struct hp_home_rule *rules;
	uint32_t count;
	uint32_t fallback; /* enum hp_share: what no rule covers */
};

hp_home *hp_home_create(const struct hp_home_policy *, char *error, size_t room);
void hp_home_destroy(hp_home *); /* after all of its lanes; closes every handle */

#define HP_HOME_DEFERRED 32

struct hp_lane_result {
	const uint8_t *reply; /* valid until the lane's next run */
	uint64_t reply_bytes;
	uint64_t at;         /* in: offset to go on from, 0 at first. out: where it stopped */
	uint32_t more;       /* call again with the same batch and this `at` */
	uint32_t unlocked;   /* a lock may have been released: retry the waiting ones */
	uint32_t deferred_count;
	uint32_t reserved;
	uint64_t deferred[HP_HOME_DEFERRED]; /* offsets in the batch of requests left to the caller */
};

hp_lane *hp_lane_create(hp_home *);
void hp_lane_destroy(hp_lane *);

/* Runs requests of the batch in order until its end, or until about 4 MiB of
 * reply wait to be sent, or until `deferred` is full. Left to the caller:
 * BUNDLE, and locks that would have to wait (hp_lane_retry).
 * 0; -1: malformed at `at`, nothing was executed from there on; -2: no memory. */
int hp_lane_run(hp_lane *, const uint8_t *batch, size_t length, struct hp_lane_result *);

/* Tries a waiting lock request again: 1 and its reply, or 0: it still has to wait. */
int hp_lane_retry(hp_lane *, const uint8_t *request, size_t length, struct hp_lane_result *);

/* A whole batch in one call; deferred requests are answered ENOSYS (BUNDLE) and
 * EAGAIN (locks). Bytes of reply, or as hp_lane_run; hp_home_free(reply). */
long hp_home_execute(hp_home *, const uint8_t *batch, size_t length, uint8_t **reply);
void hp_home_free(uint8_t *reply);

/* Replies of what must not be done twice are kept for replays, at most 65536 of
 * them and 64 MiB; those up to `id` are no longer needed. A name change that is
 * asked for again after that is refused with ESTALE. */
void hp_home_acknowledge(hp_home *, uint64_t id);

/* Opens a regular file for reading, as the job would get it: descriptor or -errno. */
int hp_lane_open(hp_lane *, const char *path, struct hpw_attr *);

/* What policy refused although the user himself could have done it, one line for
 * each (kind, directory) since last asked: "write\t/usr/lib" or "read\t/home/u/.ssh".
 * Backslash, tab and newline in a path are written as \ooo. Bytes written. */
long hp_home_refusals(hp_home *, char *buffer, size_t room);

struct hp_home_stats {
	uint64_t requests, replayed, refused, handles, parked;
};
void hp_home_stats(hp_home *, struct hp_home_stats *);

/* Landlock: this thread, and those it starts later, may change files only beneath
 * `writable` (directories, or single files). Reading stays as it is: a rule of
 * Landlock can only allow, and around each secret everything would have to be
 * listed, files that do not exist yet included. Modes, owners, times and xattrs
 * are not Landlock's business. Returns the ABI in force, 0 if the kernel has no
 * Landlock, -errno. Paths that do not exist are left out. */
int hp_home_confine(const char *const *writable, size_t count);

/* From now on whatever the session changes can be undone, from the undo journal in this directory (of the job's
 * own, empty at first), which may take so many bytes. Behind a roll-back the same journal goes on. 0 or -errno:
 * -ENOTEMPTY: what it holds was not rolled back. */
int hp_home_journal(hp_home *, const char *directory, uint64_t most_bytes);
/* Nobody will go back to before this epoch any more (HPW_EPOCH): 0, -ENOENT. */
int hp_home_commit(hp_home *, uint64_t epoch);
struct hp_home_epochs {
	uint64_t oldest; /* that can be gone back to; UINT64_MAX: none, see the file "lost" */
	uint64_t newest;
	uint64_t records, log_bytes, data_bytes, held_bytes;
};
void hp_home_epochs(hp_home *, struct hp_home_epochs *);
/* Undoes what a session changed after the mark of this epoch (0: its beginning). No session may have the
 * journal. 0: all of it; n > 0: but for n things, a line for each in `report`. -EEXIST: others have changed
 * files since, see `report`, and nothing was done (unless `forced`). -ENODATA: there is no such journal, or it
 * was given up. -ENOENT: no such epoch. -EBUSY: in use. -ESTALE: the machine was started anew since. -EBADMSG:
 * damaged. Safe to repeat, after a kill at any moment too. */
int hp_rollback(const char *directory, uint64_t epoch, int forced, char *report, size_t room);

/* From now on directories handed out are watched: a descriptor to poll, for leases that are recalled too, or -errno. */
int hp_home_watch(hp_home *);
/* What others changed since last asked, as one HPW_CHANGED record, and HPW_RECALL records: their bytes, 0 none. */
long hp_home_changes(hp_home *, uint8_t *buffer, size_t room);

#endif
