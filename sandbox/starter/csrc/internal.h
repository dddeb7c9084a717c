/* What the engine's files share. One lock guards everything here; it is given
 * up while a thread waits for home. Replies are applied to tree and mirror in
 * the order in which home sent them, by the thread that feeds the lane: so the
 * mirror passes through the states that home passed through.
 */
#ifndef HPOOL_ENGINE_INTERNAL_H
#define HPOOL_ENGINE_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "ahead.h"
#include "costs.h"
#include "kept.h"
#include "maps.h"
#include "memory.h"
#include "notes.h"
#include "objects.h"
#include "statistics.h"
#include "engine.h"
#include "hpool/shm.h"

#define HP_INLINE_LIMIT (512u << 10) /* files up to here arrive whole, with the answer to their name */
#define HP_MESSAGE_LIMIT (1u << 20)
#define HP_LIST_AFTER 3 /* misses in one directory after which it is listed */
#define HP_WRITE_CHUNK (512u << 10)
#define HP_IN_FLIGHT (32u << 20) /* unacknowledged written bytes */
#define HP_ORDERED_MOST (256u << 10) /* written bytes up to here travel in order with names and attributes */
#define HP_ORDERED_BYTES (1u << 20) /* so many of them at once: what the job waits for is behind them */

struct hp_pending;
typedef void (*hp_apply)(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *body,
			 size_t length);

/* A request on its way. Lives on the stack of who waits for it, or, detached,
 * on the heap until its last reply. */
struct hp_pending {
	struct hp_pending *next;
	uint64_t id;
	uint16_t op, flags;
	int lane;
	hp_apply apply; /* called for each reply record, in order, lock held; may be NULL */
	void *context;
	uint64_t offset, length, generation, sent_ns, came, in_before; /* bytes of replies */
	int error;
	bool done, detached, only_looks; /* the last: content may come along, nobody wants it yet */
	uint8_t *data; /* where apply keeps raw bytes */
	size_t data_length;
};

struct hp_queue {
	uint8_t *bytes;
	size_t start, length, room;
	pthread_cond_t filled;
	bool nudged;
};

#define HP_BUCKETS 65536u
#define HP_DIRFDS 2048u

struct hp_engine {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* some pending is done, some fill has come */
	struct hp_engine_config config;
	struct hp_channel *channel;
	struct hp_attr_entry *attrs;
	int root_fd, nameless_fd, clock_fd; /* the last: a file that is only ever stamped */
	int stopping, failed;
	uint64_t next_id, next_handle;
	uint64_t answering; /* number of the request whose answer is being applied */
	struct hp_bound *bound; /* binding.c */
	unsigned bound_count;
	struct hp_object *root;
	struct hp_name *table[HP_BUCKETS];
	struct hp_object *by_inode[HP_BUCKETS];
	struct hp_object *by_home[HP_BUCKETS];
	struct hp_pending *pending[1024];
	struct hp_queue out[HP_LANES];
	struct hp_queue reads; /* of the bulk lane: they go before what is written */
	struct {
		struct hp_object *object;
		int fd;
	} dirfds[HP_DIRFDS];
	struct hp_object *files[HP_FILES];
	struct hp_object *with_digest;
	struct hp_serving serving;
	uint32_t next_file, files_end; /* numbers from the last on were never given */
	uint64_t map_used; /* bytes of channel->maps */
	struct hp_map_place maps[HP_FILES]; /* where each file's is, kept here: the job can write to the channel */
	uint64_t trip_ns; /* how long home takes to answer, lately */
	uint64_t bytes_in_flight;
	uint64_t ordered_bytes; /* of it in the lane that questions take too */
	uint64_t ordered_sent, ordered_done; /* changes in that lane that nobody waits for */
	uint64_t ordered_synced; /* the last of them that others must not hear of before it is done */
	uint64_t names_altered; /* at home, by the job or as home told */
	struct hp_pool *pools;
	unsigned pooled; /* files to be, asked for ones included */
	uint64_t bulk_sent, bulk_done; /* changes in the bulk lane */
	uint64_t asked, answered; /* questions about what others changed */
	uint32_t bell_seen; /* the dirty bell when all of it was on its way last */
	bool lazy; /* something in the other lane has not been announced */
	uint64_t listings, moves; /* as in the channel */
	unsigned paths_moving, workers;
	unsigned moving; /* names that come, go or move when home answers: nothing may be sent by name meanwhile */
	char lost[512]; /* the first change that home refused afterwards */
	pthread_t flusher, lock_watcher;
	pthread_cond_t worker_left;
	bool flusher_running, lock_watcher_running;
	int first_error; /* of any write at home */
	struct hp_locks *locked; /* files that have (had) locks */
	unsigned leases, recalls; /* of those files; wanted back */
	pthread_cond_t lock_taken;
	struct hp_memory memory;
	struct hp_kept kept;
	struct hp_walker walker;
	struct hp_speed speed;
	struct hp_statistics statistics;
	bool unasked; /* so is the content that is being taken in */
	uint64_t contents_came; /* small files that came whole */
	struct hp_notes notes;
	struct hp_engine_stats stats;
	struct hp_costs costs;
};

/* tree.c */
struct hp_name *hp_tree_peek(hp_engine *, const struct hp_object *parent, const char *text, size_t length);
/* The same; an offer is made in the mirror first (and still one if that failed). */
struct hp_name *hp_tree_find(hp_engine *, const struct hp_object *parent, const char *text, size_t length);
struct hp_name *hp_tree_add(hp_engine *, struct hp_object *parent, const char *text, size_t length);
struct hp_name *hp_tree_put(hp_engine *, struct hp_object *parent, const char *text, size_t length);
void hp_tree_offer(struct hp_name *, const struct hpw_attr *, const char *target, size_t target_length);
void hp_tree_withdraw(struct hp_name *);
int hp_tree_accept(hp_engine *, struct hp_name *);
void hp_tree_bind(struct hp_name *, struct hp_object *);
void hp_tree_unbind(hp_engine *, struct hp_name *); /* the name stays, as absent */
void hp_tree_move(hp_engine *, struct hp_name *from, struct hp_name *to);
void hp_tree_forget_children(hp_engine *, struct hp_object *directory);
struct hp_object *hp_object_new(hp_engine *, enum hp_kind);
void hp_object_index(hp_engine *, struct hp_object *);
struct hp_object *hp_object_by_inode(hp_engine *, uint64_t inode);
struct hp_object *hp_object_by_home(hp_engine *, uint64_t dev, uint64_t inode);
void hp_object_move_inode(hp_engine *, struct hp_object *, uint64_t inode);
void hp_object_rehome(hp_engine *, struct hp_object *, const struct hpw_attr *);
char *hp_object_path(const struct hp_object *); /* malloc; NULL if it has no name */
char *hp_name_path(const struct hp_object *parent, const char *text, size_t length);
enum hp_kind hp_kind_of(uint32_t mode);

/* mirror.c: the mirror as a file system */
/* Good until the next call: a directory that is opened may take the place of another one in the table. */
int hp_mirror_dirfd(hp_engine *, struct hp_object *directory);
int hp_mirror_own_dirfd(hp_engine *, struct hp_object *directory); /* the caller's own, to be closed. Or -errno */
void hp_mirror_forget_dirfd(hp_engine *, struct hp_object *directory);
int hp_mirror_make(hp_engine *, struct hp_name *, const struct hpw_attr *, const char *target, size_t target_length);
int hp_mirror_give_size(hp_engine *, struct hp_object *); /* a placeholder's is 0 */
int hp_mirror_fill_whole(hp_engine *, struct hp_object *, const uint8_t *content, uint64_t length);
int hp_mirror_open(hp_engine *, struct hp_object *, int flags);
void hp_mirror_permit(hp_engine *, struct hp_object *); /* mode bits from access and content */
void hp_mirror_set_times(struct hp_object *, int fd, bool atime);
void hp_mirror_publish(hp_engine *, struct hp_object *);
/* Its mtime moves, and will be set back: until it is published. False: so it was. */
bool hp_mirror_unsteady(hp_engine *, const struct hp_object *);
/* To be called before a symlink gets a name in the directory: who looks for absent names there must know. */
void hp_mirror_links(hp_engine *, struct hp_object *directory, enum hp_kind);
/* 1 before, -1 after a directory or symlink loses its name or gets another. */
int hp_mirror_name(const hp_engine *, int from, const char *aside, int to, const char *name);
int hp_mirror_open_long(hp_engine *, struct hp_object *);
bool hp_is_watched(const hp_engine *); /* names, by inotify */
void hp_tell_attributes(hp_engine *, const struct hp_object *); /* those who watch: of what the job changed */
void hp_mirror_moving(hp_engine *, const struct hp_object *, int begin_or_end);
void hp_mirror_drop(hp_engine *, struct hp_name *);
int hp_mirror_chmod(int fd, mode_t mode); /* also of an O_PATH descriptor */
int hp_mirror_prepare(hp_engine *); /* channel, loader, local directories */
void hp_forget_name(hp_engine *, struct hp_name *); /* it and its directory are asked for again */

/* queue.c */
void hp_queue_put(struct hp_queue *, const void *bytes, size_t length);

/* wire.c */
struct hp_request {
	struct hpw_request head;
	const void *string1, *string2;
	bool lazy; /* nobody waits: it may travel with what follows within some milliseconds */
};
void hp_wire_send(hp_engine *, int lane, struct hp_pending *, const struct hp_request *);
bool hp_wire_rests(hp_engine *, bool lazy); /* whether what was queued need not be announced now */
void hp_wire_kick(hp_engine *); /* who begins to wait for something lazy, now */
int hp_wire_wait(hp_engine *, struct hp_pending *); /* errno of the last reply */
void hp_wire_await_filled(hp_engine *, struct hp_object *); /* what is on its way for it */
int hp_wire_call(hp_engine *, int lane, struct hp_pending *, const struct hp_request *);
void hp_wire_fail_all(hp_engine *);
void hp_wire_close_handle(hp_engine *, uint64_t handle);
const struct hpw_entry *hp_wire_entry(const uint8_t **cursor, const uint8_t *end);
void hp_apply_entries(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *, size_t);
void hp_apply_data(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *, size_t);
struct hp_name *hp_name_by_path(hp_engine *, const char *path);
struct hp_object *hp_apply_entry(hp_engine *, const struct hpw_entry *);
void hp_apply_child(hp_engine *, struct hp_object *directory, const struct hpw_entry *);
void hp_refresh(hp_engine *, struct hp_object *, const struct hpw_attr *);

/* changed.c */
void hp_ask_doubtful(hp_engine *, struct hp_name *);
void hp_apply_changes(hp_engine *, const uint8_t *body, size_t length);
void hp_changes_await(hp_engine *); /* until what is told of so far is known */

/* resolve.c */
struct hp_where {
	struct hp_object *parent; /* directory that holds the last name; NULL: local */
	struct hp_object *object; /* what the name stands for; NULL: absent */
	struct hp_name *name;     /* may be NULL for the root */
	char last[256];
	size_t last_length;
	bool must_be_directory;   /* the path ended in a slash */
};
enum {
	HP_FOLLOW = 0,
	HP_NO_FOLLOW = 1,
	HP_PARENT_ONLY = 2,  /* the last name need not be known: object NULL means absent or not yet asked for */
	HP_WITH_CONTENT = 4, /* small content may come along */
	HP_IN_ROOT = 8,      /* `base` is the root: openat2(2), RESOLVE_IN_ROOT */
};
#define HP_IS_LOCAL (-10000) /* the name is the sandbox's own affair */
int hp_resolve(hp_engine *, uint64_t base, const char *path, size_t length, int flags, struct hp_where *);
bool hp_resolve_known(hp_engine *, const char *path, struct hp_where *); /* from memory alone */
void hp_apply_listing(hp_engine *, struct hp_object *directory, const struct hpw_reply *, const uint8_t *, size_t);
/* All names of a directory: afterwards what is missing there does not exist.
 * `show`: and the mirror has all of them. */
int hp_list(hp_engine *, struct hp_object *directory, bool show);
void hp_list_behind(hp_engine *, struct hp_object *directory); /* nobody waits */

/* content.c */
int hp_have_content(hp_engine *, struct hp_object *); /* readable natively afterwards */
uint32_t hp_beside_limit(const hp_engine *); /* bytes: what still counts as a small file */

/* files.c: numbers and handles */
bool hp_file_in_use(int fd); /* the job has it open, or mapped */
bool hp_file_has_dirty(const hp_engine *, const struct hp_object *);
bool hp_is_older(const hp_engine *, const struct hp_object *);
int hp_file_number(hp_engine *, struct hp_object *);
int hp_file_open_home(hp_engine *, struct hp_object *, int flags);

/* blocks.c */
#define HP_EVICT_STEP (8u << 20)
int hp_start_blocks(hp_engine *, struct hp_object *, uint64_t size, bool whole);
int hp_file_as_blocks(hp_engine *, struct hp_object *);
void hp_file_outdate(hp_engine *, struct hp_object *, uint64_t low, uint64_t high);
void hp_file_set_size(hp_engine *, struct hp_object *, uint64_t size);
bool hp_file_missing(const struct hp_object *, uint64_t block);
int hp_file_fill(hp_engine *, struct hp_object *, uint64_t offset, uint64_t length, bool ahead);
int hp_write_sparse(int fd, const uint8_t *bytes, uint64_t length, uint64_t offset);
void hp_file_prefetch(hp_engine *, struct hp_object *);
/* Content of blocks has come, or an errno instead; they will not come from where they were asked for. */
void hp_file_take(hp_engine *, struct hp_object *, uint64_t first, uint64_t count, const uint8_t *bytes,
		  uint64_t length, int error);
void hp_file_forget_asked(struct hp_object *, uint64_t first, uint64_t count);
void hp_file_release(hp_engine *, struct hp_object *);
/* A file without a name that nobody has open any more: nothing of it has to stay, here or at home. True if so. */
bool hp_file_forsake(hp_engine *, struct hp_object *);
bool hp_files_forsake(hp_engine *); /* all of them */

/* evict.c */
bool hp_evict(hp_engine *, uint64_t bytes);   /* clean content only; never waits for home */
int hp_make_room(hp_engine *, uint64_t bytes); /* writes back first; for threads that may wait */

/* renew.c */
bool hp_renewable(const struct hp_object *);
bool hp_same_mtime(const struct hpw_attr *, const struct hpw_attr *);
bool hp_renew(hp_engine *, struct hp_object *, const struct hpw_attr *); /* false: try again later */
int hp_revalidate(hp_engine *, struct hp_object *, const struct hpw_attr *);
int hp_refetch(hp_engine *, struct hp_object *, uint64_t from);
bool hp_stop_readers(struct hp_file *);

/* held.c: what is locked, by ranges. [first, last], both included */
struct hp_held {
	uint64_t first, last;
	int type; /* F_RDLCK, F_WRLCK */
};
struct hp_ranges {
	struct hp_held *held; /* in order, disjoint */
	unsigned count, room;
};
int hp_ranges_type(const struct hp_ranges *, uint64_t at, uint64_t *last); /* and where it changes */
bool hp_ranges_cover(const struct hp_ranges *, uint64_t first, uint64_t last, int type);
void hp_ranges_set(struct hp_ranges *, uint64_t first, uint64_t last, int type); /* F_UNLCK: nothing */
void hp_ranges_raise(struct hp_ranges *, uint64_t first, uint64_t last, int type); /* never less than it was */
bool hp_native_ranges(int fd, struct hp_ranges *);
int hp_native_flock(struct hp_channel *, int fd); /* F_UNLCK, F_RDLCK, F_WRLCK */

/* locks.c */
int64_t hp_do_lock(hp_engine *, struct hp_slot *);
void hp_locks_settle(hp_engine *); /* releases what nobody holds any more */
void hp_locks_stop(hp_engine *);
void hp_locks_fail(hp_engine *);
bool hp_lock_uses(const struct hp_object *); /* its handle */

/* leases.c */
void hp_leases_recalled(hp_engine *); /* those that home wants back, after what was done under them */
void hp_leases_end(hp_engine *);
void hp_apply_recall(hp_engine *, const uint8_t *body, size_t length);
bool hp_lock_is_private(hp_engine *); /* the job holds a lock that nobody else could ask for */

/* memory.c, recall.c */
void hp_remember(hp_engine *, char kind, const char *path, size_t length);
bool hp_await_recall(hp_engine *); /* for more of what former runs asked for; false: there is no more to come */

/* bundle.c */
void hp_bundle(hp_engine *, struct hp_object *program);
void hp_bundle_fetch(hp_engine *, const struct hp_object *last);
void hp_apply_bundle(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *, size_t);

/* flush.c */
void *hp_flusher_main(void *);
void hp_flush_collect(hp_engine *, struct hp_object *); /* dirty extents on their way */
void hp_flush_hold(hp_engine *, struct hp_object *); /* nothing of it is taken until: */
void hp_flush_let_go(hp_engine *, struct hp_object *);
void hp_flush_dirty(hp_engine *); /* of every file */
void hp_flush_ring(hp_engine *); /* wakes the flusher, which looks in some milliseconds */
int hp_flush_object(hp_engine *, struct hp_object *);   /* and wait for home */
void hp_flush_all_of(hp_engine *, struct hp_object *);   /* every byte, noted or not */
int hp_flush_everything(hp_engine *);
void hp_flush_last(hp_engine *, struct hp_object *); /* as collect, and what a killed process did not note */
bool hp_flush_deferred(const struct hp_object *); /* something waits until it is known where appended bytes lie */

/* syncing.c */
int hp_sync(hp_engine *, struct hp_object *);

/* behind.c: changes that nobody waits for. False: this one has to be waited for */
bool hp_set_behind(hp_engine *, struct hp_object *, uint32_t set, const struct hpw_attr *wanted);
bool hp_empty_behind(hp_engine *, struct hp_object *, int flags, uint32_t mode);
bool hp_is_foreseeable(const hp_engine *, const struct hp_object *directory); /* whether it may get and lose names */
void hp_touch(const hp_engine *, struct hpw_attr *, bool modified); /* it changes now, by home's clock */

/* creating.c: files made behind the job's back, of inodes that home made before */
bool hp_create_behind(hp_engine *, const struct hp_where *, int flags, uint32_t mode, struct hp_object **);
void hp_pool_drop(hp_engine *, struct hp_object *directory);

/* ordered.c: the lane that questions take is that of changes, too */
struct hp_change {
	struct hp_object *object; /* or NULL */
	struct hp_object *parent; /* of a change of names; else NULL */
	const char *last, *from;  /* the name in `parent`; what was renamed was called that there; else NULL */
	size_t length, from_length;
	const char *verb; /* for the sentence, should home refuse */
	bool makes;       /* home's refusal means that there is no such name */
	int32_t forgives; /* this error is no failure */
};
void hp_ordered_send(hp_engine *, const struct hp_change *, const struct hp_request *);
void hp_ordered_tell(hp_engine *, const struct hp_request *); /* whatever home answers */
int hp_ordered_lane(hp_engine *, struct hp_object *, uint64_t bytes); /* may wait */
void hp_ordered_first(hp_engine *, struct hp_object *); /* what was written arrives before what is sent now */
void hp_wait_count(hp_engine *, const uint64_t *done, uint64_t until, int kind);
void hp_written_first(hp_engine *, bool bulk);
void hp_ordered_wait(hp_engine *); /* until home has answered those sent so far */
void hp_ordered_lost(hp_engine *, struct hp_object *, int error, const char *verb, char *path);
void hp_written_send(hp_engine *, struct hp_object *, int lane, hp_apply, const struct hp_request *);
void hp_written_answered(hp_engine *, struct hp_pending *, const struct hpw_reply *);
void hp_wait_while(hp_engine *, const unsigned *asked, const unsigned *got); /* some are asked for and none is got */

/* changes.c, opening.c, attributes.c: requests of the shim. Results: HP_RETRY, 0, -errno */
int64_t hp_do_open(hp_engine *, struct hp_slot *);
int64_t hp_do_settle(hp_engine *, struct hp_slot *);
int64_t hp_do_append(hp_engine *, struct hp_slot *);
int64_t hp_do_nameless(hp_engine *, struct hp_slot *);
int64_t hp_make_one(hp_engine *, struct hp_slot *, uint16_t op);
int64_t hp_do_bind(hp_engine *, struct hp_slot *);
int64_t hp_do_address(hp_engine *, struct hp_slot *);
void hp_bound_free(hp_engine *);
int64_t hp_do_change(hp_engine *, struct hp_slot *);
int64_t hp_do_attributes(hp_engine *, struct hp_slot *);

/* workers.c */
int hp_workers_start(hp_engine *);
void hp_serve_begin(hp_engine *); /* from here on objects that this thread has found are kept */
void hp_serve_end(hp_engine *);
int64_t hp_engine_answer(hp_engine *, struct hp_slot *); /* lock held */
void hp_workers_stop(hp_engine *);

/* costs.c */
extern __thread uint32_t hp_trips; /* times this thread waited for home for what it serves */
uint64_t hp_now_ns(void);
void hp_costs_serve(const struct hp_slot *); /* what this thread waits for from now on is for that, or nobody */
void hp_costs_stage(int now);
int hp_wait_kind_of(const struct hp_pending *);
void hp_waited(hp_engine *, uint64_t before_ns, int kind, uint64_t bytes);
void hp_waited_more(hp_engine *, uint64_t before_ns);
void hp_carried(hp_engine *, const struct hp_object *, uint64_t bytes_in, uint64_t bytes_out);
void hp_costs_free(hp_engine *);

/* notes.c */
void hp_notes_start(hp_engine *);
void hp_notes_stop(hp_engine *);
int64_t hp_note_refusal(hp_engine *, const struct hp_slot *);
int64_t hp_note_crash(hp_engine *, const struct hp_slot *);

#endif
