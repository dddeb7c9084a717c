/* Shapes shared by the files of home; nothing here is for others. */
#ifndef HPOOL_HOME_INTERNAL_H
#define HPOOL_HOME_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "home.h"

#define HP_NAME_MAX 255u
#define HP_LINKS_MAX 40u
#define HP_RECORD_MAX ((1u << 20) - 4096u) /* replies longer than this are split */
#define HP_INLINE_MAX (512u << 10)         /* content sent along with an entry */
#define HP_RESOLVE_MAX (64u << 20)        /* reply bytes of one RESOLVE: very deep paths */
#define HP_PIECE_MAX (128u << 10)          /* reply bytes after which a run pauses */

/* ---- policy.c ---- */
struct hp_rule {
	char *path; /* of a pattern: its directory */
	uint32_t length;
	uint32_t share;
	char *pattern; /* NULL: none */
};

struct hp_secret {
	_Atomic uint64_t dev, ino;
};

struct hp_policy {
	struct hp_rule *rules;
	struct hp_secret *secrets; /* two for each rule: the name itself, what it leads to */
	unsigned count, patterns; /* patterns are the first of them */
	uint64_t lengths;   /* of the other rules, bit length % 64: a quick no */
	uint32_t fallback;
	_Atomic uint64_t secret_mask; /* bit ino % 64: a quick no */
	_Atomic int64_t refreshed_ms;
	pthread_mutex_t refreshing; /* guards the next two */
	unsigned next;
	uint64_t round_mask;
};

int hp_policy_init(struct hp_policy *, const struct hp_home_policy *);
void hp_policy_free(struct hp_policy *);
void hp_policy_refresh(struct hp_policy *);
/* Share of `path` whose parent directory has `inherited`; `exact`: a rule names it. */
uint32_t hp_policy_child(const struct hp_policy *, uint32_t inherited, const char *path, size_t length);
bool hp_policy_is_rule(const struct hp_policy *, const char *path, size_t length);
bool hp_policy_has_below(const struct hp_policy *, const char *path, size_t length);
bool hp_policy_guards_below(const struct hp_policy *, const char *path, size_t length);
bool hp_policy_shares_below(const struct hp_policy *, const char *path, size_t length);
bool hp_policy_is_secret(const struct hp_policy *, uint64_t dev, uint64_t ino);

/* ---- refusals.c ---- */
struct hp_refusals {
	char **lines;
	unsigned count, room, told;
};

void hp_refusal_note(hp_home *, const char *kind, const char *path, size_t length);
void hp_refusals_free(struct hp_refusals *);

/* ---- replay.c ---- */
struct hp_kept;
struct hp_replay {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct hp_kept **buckets;
	struct hp_kept *oldest, *newest;
	unsigned count;
	uint64_t bytes;
	uint64_t acknowledged;
};

int hp_replay_init(struct hp_replay *);
void hp_replay_free(struct hp_replay *);
enum hp_replay_state { HP_REPLAY_NEW, HP_REPLAY_KNOWN, HP_REPLAY_OVER, HP_REPLAY_NOMEM };
/* KNOWN: the reply was appended to the lane's. NEW: execute, then hp_replay_keep. */
enum hp_replay_state hp_replay_begin(hp_lane *, uint64_t id);
void hp_replay_keep(hp_lane *, uint64_t id, size_t reply_start);

/* ---- handles.c ---- */
struct hp_owner { /* an owner of locks has an open file description of its own */
	struct hp_owner *next;
	uint64_t owner;
	int fd; /* -1: the handle's own */
	bool flocked, ranged;
};

struct hp_handle {
	uint64_t number;
	int fd; /* -1: parked */
	int open_flags;
	int append_fd; /* a description of its own that appends, -1: none yet */
	unsigned users;
	uint32_t share;
	bool regular, unnamed, closed;
	bool pinned; /* has (had) locks: never parked */
	uint64_t dev, ino;
	char *path;
	uint32_t path_len;
	struct hp_handle *chain, *newer, *older;
	_Atomic int64_t ctime_ns; /* when this session last changed it, 0 unknown */
	struct hp_owner *owners; /* under lock_owners */
};

struct hp_handles {
	struct hp_handle **buckets;
	unsigned bucket_count, count, open, open_limit, parked;
	struct hp_handle *newest, *oldest; /* least recently used last */
};

int hp_handles_init(struct hp_handles *);
void hp_handles_free(hp_home *);
struct hp_found;
/* Takes `fd` over in any case. */
int hp_handle_add(hp_home *, uint64_t number, int fd, int open_flags, const struct hp_found *, bool unnamed);
bool hp_handle_known(hp_home *, uint64_t number);
int hp_handle_get(hp_lane *, uint64_t number, struct hp_handle **);
void hp_handle_pin(hp_home *, struct hp_handle *);
void hp_handle_put(hp_home *, struct hp_handle *);
int hp_handle_forget(hp_home *, uint64_t number, bool *had_locks);
bool hp_handles_wrote(hp_home *, const struct stat *); /* lock held */
void hp_handle_changed(hp_home *, struct hp_handle *);
bool hp_handles_relieve(hp_home *); /* descriptors ran out: was one freed? */

/* ---- attr.c ---- */
struct hp_user {
	uint32_t uid;
	gid_t *groups;
	int ngroups;
	bool overrides; /* CAP_DAC_OVERRIDE */
	bool is_root;
};

int hp_user_init(struct hp_user *);
void hp_user_free(struct hp_user *);
/* name "" with a handle: the object itself. access is the user's, not yet policy's. */
int hp_attr_read(hp_home *, int fd, const char *name, struct hpw_attr *);
void hp_attr_limit(hp_home *, int fd, const char *name, uint32_t share, struct hpw_attr *);
bool hp_user_may(int fd, const char *name, int access);

/* ---- watch.c ---- */
struct hp_watch_directory;
struct hp_watch_seen;
struct hp_watch {
	pthread_mutex_t lock;      /* taken before the session's */
	pthread_mutex_t told_lock; /* taken last */
	int fd; /* inotify, -1: nobody asked for it */
	int poll; /* of it and of leases */
	struct hp_watch_seen *seen; /* directories watched or refused, by device and inode */
	unsigned count;
	struct hp_watch_directory *directories; /* by watch descriptor */
	unsigned room;
	struct hp_told *told; /* what the starter last heard of a name, by hash of its path */
};

void hp_watch_init(struct hp_watch *);
void hp_watch_free(struct hp_watch *);

/* ---- lease.c ---- */
#define HP_LEASES 64u

struct hp_lease {
	uint64_t number; /* of the handle, whose description holds it */
	int fd;
	uint64_t dev, ino;
	int64_t broken_ms; /* since when somebody waits for its end, 0 nobody */
	bool told, fenced; /* fenced: it is over, and all of the file locked instead */
};

struct hp_leases {
	pthread_mutex_t lock; /* taken last */
	pthread_cond_t started;
	struct hp_lease held[HP_LEASES];
	unsigned count;
	int64_t answer_ms; /* so long the starter has for giving one back */
	pthread_t thread;
	int tid; /* 0: not started */
	int bell; /* eventfd: one is to be told of */
	int blocked; /* threads that wait for somebody else's lease */
	bool stopping, untold;
};

int hp_leases_init(struct hp_leases *);
void hp_leases_free(struct hp_leases *);
void hp_lease_forget(struct hp_leases *, uint64_t number); /* the handle goes */
bool hp_leases_any(hp_home *);
/* Of a file that we hold a lease on: another descriptor. -1: we do not. */
int hp_lease_again(hp_home *, uint64_t dev, uint64_t ino, int flags);
void hp_lease_blocked(hp_home *, bool); /* a lane waits: it cannot carry the answer to a recall */
long hp_leases_tell(hp_home *, uint8_t *buffer, size_t room);
int hp_leases_poll(hp_home *); /* a descriptor for news of both kinds */

/* ---- home.c: the session ---- */
#define HP_DEVICES 64u

struct hp_home {
	int root_fd, proc_fd; /* "/", "/proc/self/fd" */
	struct hp_policy policy;
	struct hp_user user;
	pthread_mutex_t lock;        /* handles, refusals */
	pthread_mutex_t lock_owners; /* taken before `lock` */
	struct hp_handles handles;
	struct hp_refusals refusals;
	struct hp_replay replay;
	struct hp_watch watch;
	struct hp_leases leases;
	struct hp_journal *journal; /* NULL: nothing is to be undone */
	_Atomic uint64_t generation; /* grows with every change of names or attributes */
	_Atomic uint64_t requests, replayed, refused;
	_Atomic uint64_t devices[HP_DEVICES]; /* what is known of them: hp_home_device */
};

enum hp_device { HP_DEVICE_PLAIN, HP_DEVICE_PROC, HP_DEVICE_AUTOFS, HP_DEVICE_SURE /* see enum hpw_sure */ };
enum hp_device hp_home_device(hp_home *, int fd, const char *name, uint64_t dev);
int hp_reopen(hp_home *, int fd, int flags); /* by the handle that was checked: descriptor or -errno */

/* ---- reply.c ---- */
struct hp_reply {
	uint8_t *bytes;
	size_t used, room;
	size_t record;     /* offset of the open record */
	size_t last_entry; /* offset of the last entry of it, 0 none */
	uint32_t count;
	uint16_t op;
	uint64_t id;
	bool failed; /* no memory */
};

struct hp_text {
	const char *bytes;
	size_t length;
};

bool hp_reply_room(struct hp_reply *, size_t);
void hp_reply_open(hp_lane *, const struct hpw_request *, uint16_t op);
void hp_reply_close(hp_lane *, int error, uint16_t flags);
/* A reply of no entries. */
void hp_reply_error(hp_lane *, const struct hpw_request *, int error);
/* `content`: leaves room for that many bytes of it, which the caller appends before hp_entry_end. */
void hp_entry_begin(hp_lane *, uint32_t flags, struct hp_text path, struct hp_text target, const struct hpw_attr *,
		    size_t content);
void hp_entry_end(hp_lane *);
void hp_entry(hp_lane *, uint32_t flags, struct hp_text path, struct hp_text target, const struct hpw_attr *);
uint8_t *hp_reply_raw(hp_lane *, size_t room);
uint8_t *hp_reply_data(hp_lane *, size_t room); /* behind the record's header; then hp_reply_data_end */
void hp_reply_data_end(hp_lane *, const struct hpw_request *, int error, size_t length);

void hp_watch_add(hp_home *, int fd, struct hp_text path, const struct hpw_attr *); /* a directory handed out */
void hp_watch_new(hp_home *, int fd, struct hp_text path,
		  const struct hpw_attr *); /* just made: its inode may have been another's */
bool hp_watch_has(hp_home *, const struct hpw_attr *);
void hp_handles_renamed(hp_home *, struct hp_text from, struct hp_text to, bool exchange);
void hp_watch_renamed(hp_home *, struct hp_text from, struct hp_text to);
/* The starter hears of this name (attr NULL: that it is absent); directory and name, or a whole path and no name. */
void hp_watch_told(hp_home *, struct hp_text directory, struct hp_text name, const struct hpw_attr *);
/* Who had what people use as a lock (a lock; a name that could be made) changed things first:
 * the starter hears of that before it hears that it is its own. Only the lane that the job
 * waits for takes such news, and those are got on no other. Of `own` (or NULL) the answer tells. */
void hp_tell_changes_first(hp_lane *, const struct hp_text *own, const struct hp_text *own2);

/* ---- walk.c ---- */
struct hp_frame { /* a directory on the way, held */
	int fd;   /* -1: closed, the path is too deep; 0th: borrowed from the session */
	uint32_t path_len;
	uint32_t share;
	struct hpw_attr attr;
};

struct hp_walk {
	struct hp_frame *frames;
	unsigned depth, room, emitted;
	uint64_t generation;
	char *path; /* canonical path of the last component; the root's is "" */
	size_t path_room;
	char *rest; /* what is still to be walked */
	size_t rest_room;
	char *spare;
	size_t spare_room;
	char *link; /* text of the last symlink met */
	size_t link_len, link_room;
};

enum hp_walk_flags {
	HP_WALK_NOFOLLOW = 1, /* the last component */
	HP_WALK_PARENT = 2,   /* stop in front of the last component: found->name */
	HP_WALK_HANDLE = 4,   /* found->fd is an O_PATH handle of the object */
	HP_WALK_EMIT = 8,     /* write entries into the open record */
};

struct hp_found {
	int fd;        /* O_PATH, or -1; owned by the walk if `directory` */
	int parent_fd; /* directory that holds it; owned by the walk */
	const char *name; /* in it; "" if the object is the top directory itself */
	size_t name_len;
	struct hp_text path; /* canonical; owned by the walk */
	uint32_t share, parent_share;
	bool directory; /* the top frame is the object */
	bool slash;     /* PARENT: slashes behind the name */
	struct hpw_attr attr; /* not with PARENT */
};

int hp_walk_init(struct hp_walk *);
void hp_walk_free(struct hp_walk *);
void hp_walk_reset(hp_lane *); /* forget what is held: names have changed, or a new batch begins */
/* 0 or a positive errno. Release with hp_found_release. */
int hp_walk(hp_lane *, struct hp_text path, unsigned flags, struct hp_found *);
void hp_found_release(struct hp_found *);
void hp_walk_swap(hp_lane *); /* what was found stays held while a second name is walked */
/* PARENT: looks at the name itself now, never following it; fills attr, fd, share. */
int hp_walk_look(hp_lane *, struct hp_found *);
void hp_walk_emit_content(hp_lane *, uint32_t flags, struct hp_text path, int dir_fd, const char *name, uint32_t share,
			  struct hpw_attr *, size_t limit, size_t *budget);
int hp_read_link(int fd, const char *name, char **bytes, size_t *room, size_t *length);

#include "kept.h"
/* ---- the lane ---- */
struct hp_list { /* a LIST that pauses between two pieces */
	int fd; /* -1: none */
	struct hpw_request request;
	uint32_t share;
	bool has_rules, read_only;
	size_t limit, budget;
	char *path;
	size_t path_len, path_room;
	char *dirents;
	long used, at;
};

struct hp_lane {
	hp_home *home;
	struct hp_walk walk, other; /* other: the first of two names, see hp_walk_swap */
	struct hp_reply reply;
	struct hp_list list;
	size_t inline_limit; /* of the RESOLVE that is running; SIZE_MAX none */
	size_t content_budget;
	bool unlocked;
};

/* ---- the operations: each appends its reply ---- */
struct hp_call {
	const struct hpw_request *head;
	struct hp_text first, second;
};

void hp_op_resolve(hp_lane *, const struct hp_call *);
void hp_op_list(hp_lane *, const struct hp_call *);
void hp_list_start(hp_lane *, const struct hpw_request *, struct hp_found *);
bool hp_list_step(hp_lane *); /* false: paused, go on later */
void hp_op_statfs(hp_lane *, const struct hp_call *);
void hp_op_open(hp_lane *, const struct hp_call *);
void hp_op_close(hp_lane *, const struct hp_call *);
void hp_op_read(hp_lane *, const struct hp_call *);
void hp_op_write(hp_lane *, const struct hp_call *);
void hp_op_resize(hp_lane *, const struct hp_call *); /* TRUNCATE, ALLOCATE, FSYNC */
void hp_op_tmpfile(hp_lane *, const struct hp_call *);
void hp_op_linkfile(hp_lane *, const struct hp_call *);
void hp_op_getattr(hp_lane *, const struct hp_call *);
void hp_op_setattr(hp_lane *, const struct hp_call *);
void hp_op_xattr(hp_lane *, const struct hp_call *);
void hp_op_make(hp_lane *, const struct hp_call *);   /* MKDIR, SYMLINK, MKNOD */
void hp_op_remove(hp_lane *, const struct hp_call *); /* RMDIR, UNLINK */
void hp_op_rename(hp_lane *, const struct hp_call *);
void hp_op_link(hp_lane *, const struct hp_call *);
bool hp_op_lock(hp_lane *, const struct hp_call *); /* false: it would wait, nothing appended */
void hp_op_lease(hp_lane *, const struct hp_call *);
void hp_op_epoch(hp_lane *, const struct hp_call *);
void hp_locks_released(struct hp_handle *);

/* ---- change.c, for others ---- */
uint32_t hp_safe_mode(const hp_home *, int directory, uint32_t mode); /* of what is made there */
int hp_may_change(hp_lane *, const struct hp_found *, bool plain_directory); /* 0 or EACCES, noted */
int hp_may_write(hp_lane *, int fd, struct hp_text path, uint32_t share);
void hp_refuse_write(hp_lane *, struct hp_text path);
int hp_may_read(hp_lane *, int fd, struct hp_text path, uint32_t share);
bool hp_name_exists(const struct hp_found *);
bool hp_may_name(const struct hp_found *); /* by its directory's rights alone */
struct hp_text hp_directory_of(struct hp_text path);
int hp_link_handle(const hp_home *, int fd, const struct hp_found *to);
void hp_entry_of(hp_lane *, int fd, const char *name, struct hp_text path, uint32_t share);
void hp_entry_of_handle(hp_lane *, struct hp_handle *);
void hp_entry_parent(hp_lane *, const struct hp_found *);
void hp_changed(hp_lane *, bool names_move); /* after a change; the walk may keep its frames if no name moved */

static inline bool hp_is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

static inline struct hp_text hp_no_text(void)
{
	return (struct hp_text){ "", 0 };
}

#endif
