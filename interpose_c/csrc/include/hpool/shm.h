/* Memory shared by the shim (in every process of a job) and the starter.
 *
 * Two files in the mirror, hidden from the job: HP_CHANNEL_PATH, mapped
 * read-write, and HP_ATTRS_PATH, mapped read-only by the shim. No descriptor
 * stays open. The job can scribble over the channel: whatever the starter
 * reads from it is a hint or a request, copied once and checked; nothing in
 * it can harm anything but the job itself. See PROTOCOL.md.
 */
#ifndef HPOOL_SHM_H
#define HPOOL_SHM_H

#include <stdint.h>
#include "home_wire.h"

#define HP_PRIVATE_DIR "/.hpool"            /* a file system of its own */
#define HP_NAMELESS_DIR "/.hpool-nameless" /* files by O_TMPFILE: the mirror's */
#define HP_LOADER_PATH "/.hpool/loader"
#define HP_CHANNEL_PATH "/.hpool/channel"
#define HP_ATTRS_PATH "/.hpool/attrs"

#define HP_SHM_MAGIC 0x6c6f6f70u
#define HP_SHM_VERSION 3u
#define HP_SLOTS 512u
#define HP_SLOT_DATA 18432u /* two paths of PATH_MAX and some, or one 16 KiB value */
#define HP_FILES 16384u
#define HP_PIECE (4l << 20) /* fetched at once: a file larger than the mirror streams through */
#define HP_EXTENTS 6u
#define HP_ATTR_COUNT (1u << 19) /* a power of two: index = inode % count, tag checked */
#define HP_MAP_BYTES (32u << 20) /* presence bitmaps: a bit per block */
#define HP_BLOCK_SHIFT 16u
#define HP_BLOCK (1u << HP_BLOCK_SHIFT)
#define HP_PROCS 4096u
#define HP_EXE_MAX 500u
#define HP_SEEN 4096u /* calls kept for whoever watches; a power of two */
#define HP_RECORDED 32u /* last calls of each thread; a power of two */

/* ---- requests, shim -> starter ---------------------------------------- */
enum hp_slot_state { HP_SLOT_FREE, HP_SLOT_CLAIMED, HP_SLOT_REQUEST, HP_SLOT_TAKEN, HP_SLOT_REPLY };

/* What a socket that is going to be home's (HP_REQ_BIND) is bound to, with digits behind: by it the kernel knows it. */
#define HP_BOUND_ASIDE "/tmp/.socket"

/* Every request names an object as (base, path): base is the mirror inode of
 * a directory, 0 for the root; path is relative to it, or absolute. An empty
 * path means the object `base` itself (a descriptor's inode). */
enum hp_request_op {
	HP_REQ_NAME = 1,  /* make the name usable; arg[0] = enum hp_want, arg[1] = nofollow. HP_RETRY or -errno */
	HP_REQ_OPEN, /* arg[0] = O_* flags, arg[1] = mode as hp_new_mode() says. HP_RETRY: value[0] = flags for the
	                   * native open of the same name, value[1] = file number or 0, value[2] = created, value[3] = inode to SETTLE
	                   * after the native open, or 0. flags: HP_SLOT_IN_ROOT */
	HP_REQ_FILL, /* base = inode, arg[0] = offset, arg[1] = length: have these blocks. 0 or -errno */
	HP_REQ_MAP, /* as FILL, and keep them while it is mapped; arg[2] = 1 if shared and writable */
	HP_REQ_ROOM, /* the mirror is full: arg[0] = bytes wanted. HP_RETRY or -ENOSPC */
	HP_REQ_SYNC, /* base = inode: durable before others see what comes later; 0: home has all of it. 0 or -errno */
	HP_REQ_ATTR, /* base = inode: reply data = struct hp_attr_entry; arg[0] = 1: when home has answered what is
	                   * on its way. 0 or -ENOENT */
	HP_REQ_EXEC, /* path of a program: HP_RETRY when program, interpreter, libraries are there */
	/* name changes, done at home and in the mirror when the answer comes: 0 or -errno */
	HP_REQ_MKDIR, /* arg[0] = mode */
	HP_REQ_RMDIR,
	HP_REQ_UNLINK,
	HP_REQ_RENAME, /* second name in (base2, path2); arg[0] = RENAME_* */
	HP_REQ_LINK, /* (base, path) existing -> (base2, path2) new; arg[0] = AT_SYMLINK_FOLLOW or 0 */
	HP_REQ_SYMLINK, /* (base, path) new name, path2 = text */
	HP_REQ_MKNOD, /* arg[0] = mode, arg[1] = rdev */
	HP_REQ_SETATTR, /* arg[0] = HPW_SET_*, arg[1] = nofollow, arg[2] = mode, arg[3] = uid << 32 | gid,
	                   * arg[4], arg[5] = atime s, ns; arg[6], arg[7] = mtime s, ns */
	HP_REQ_TRUNCATE, /* arg[0] = size */
	HP_REQ_ALLOCATE, /* base = inode, arg[0] = mode, arg[1] = offset, arg[2] = length */
	HP_REQ_STATFS, /* reply data: struct statfs */
	HP_REQ_GETXATTR, /* arg[0] = nofollow, arg[1] = room, path2 = name; result = length, reply data */
	HP_REQ_SETXATTR, /* arg[0] = nofollow, arg[1] = flags, path2 = name NUL value (len2 bytes) */
	HP_REQ_LISTXATTR, /* as GETXATTR without a name */
	HP_REQ_REMOVEXATTR,
	HP_REQ_TMPFILE, /* (base, path) directory; arg[0] = flags, arg[1] = mode: reply data = a private path
	                   * to open natively; value[1] = file number */
	HP_REQ_BIND, /* (base, path) new name; path2 = a socket bound in a place of the sandbox's own: moved there,
	              * NUL, the address as the program gave it */
	HP_REQ_SETTLE, /* base = inode: the creator's native open is done */
	/* locks: base = inode, arg[0] = enum hp_lock_space, arg[1] = F_RDLCK, F_WRLCK or F_UNLCK,
	 * arg[2], arg[3] = first and last byte; see PROTOCOL.md, "Locks" */
	HP_REQ_LOCK, /* the job is to hold this at home; arg[4] = 1: tell when it can. 0, value[1] = file number or 0;
	              * -EAGAIN: others hold it, value[0] = what lock_bell says until it is worth asking again */
	HP_REQ_LOCKED, /* the native lock stands. 0; -EAGAIN: home's is gone meanwhile */
	HP_REQ_UNLOCKED, /* home is to hold no more than the job's processes do; what they wrote is there before */
	HP_REQ_GETLOCK, /* who at home would be in the way: value[] = type, first, last byte, pid */
	HP_REQ_APPEND, /* base = inode: a descriptor appends from now on. 0 or -errno, value[1] = file number */
	HP_REQ_REPORT, /* a call that was refused or degraded: arg[0] = call number, arg[1] = errno,
	                * arg[2], arg[3] = its first arguments, path = program */
	HP_REQ_ADDRESS, /* path = where a socket was bound for HP_REQ_BIND; reply data = the address the program gave */
	HP_REQ_PATH, /* base = inode: reply data = a path that leads to it. 0; -ENOENT: it has none. For whoever dumps */
	HP_REQ_CRASH, /* a piece of a crash: arg[0] = enum hp_crash_piece, path = program (with HEAD), path2 = bytes */
};

enum hp_lock_space { HP_LOCK_WHOLE, HP_LOCK_RANGE }; /* flock(2); fcntl(2) */
#define HP_LOCK_END INT64_MAX /* last byte of a range without end */

/* What a process that is about to die of a fault leaves behind, in this order. */
enum hp_crash_piece { HP_CRASH_HEAD, HP_CRASH_MAPS, HP_CRASH_STACK, HP_CRASH_END };

#define HP_SLOT_IN_ROOT 1 /* `base` is the root of the walk, also for absolute paths and symlinks */

enum hp_want { HP_WANT_STAT, HP_WANT_READ, HP_WANT_LIST, HP_WANT_DIR };

#define HP_RETRY 1 /* the native call will now find what it needs */
#define HP_LOCAL 2 /* the name is the sandbox's own: what the native call says now stands */

struct hp_slot {
	uint32_t state; /* enum hp_slot_state; futex, shared */
	int32_t pid, tid; /* of the caller, in the job's PID namespace */
	uint16_t op, flags;
	uint64_t base, base2;
	int64_t arg[8];
	uint32_t len1, len2;
	int64_t result;
	uint64_t value[4];
	uint32_t reply_len;
	uint32_t trips; /* reply: times this request waited for home */
	uint64_t ticket; /* who claimed it: a slot left by a killed process is taken back, see PROTOCOL.md */
	uint32_t pad[8];
	uint8_t data[HP_SLOT_DATA]; /* request: path, path2 (len1, len2 bytes, no NUL); reply: data */
};
_Static_assert(sizeof(struct hp_slot) % 64 == 0, "slots are cache line aligned");

/* ---- files that need care while open ------------------------------------ */
/* Bytes [low, high) written natively and not yet sent. Both words change
 * together (cmpxchg16b), so a process may die anywhere. low == high: empty. */
struct hp_extent {
	_Alignas(16) uint64_t low;
	uint64_t high;
};

enum hp_file_flags {
	HP_FILE_BLOCKS = 1, /* has (had) missing blocks: consult the presence map before reading */
	HP_FILE_WRITABLE = 2, /* writes are noted */
	HP_FILE_APPENDS = 4, /* some descriptor appends: what lies behind home's end goes to home's end */
	HP_FILE_LOCKED = 8, /* the job holds a lock of it at home */
	HP_FILE_NAMELESS = 16, /* it has no name any more: the starter waits for the last close */
	HP_FILE_PRIVATE = 32, /* nobody else has it open at home: native fcntl locks are all there is */
};

struct hp_file {
	uint64_t inode; /* mirror inode; 0: unused */
	uint32_t flags; /* enum hp_file_flags */
	int32_t error; /* errno of a failed write at home, reported once by write, fsync, close */
	uint64_t map_offset; /* first bit's byte offset in the presence area */
	uint64_t map_blocks; /* blocks the map covers; blocks beyond are present */
	uint32_t sequence; /* odd while map_offset, map_blocks change */
	uint32_t readers; /* calls that rely on the map now; eviction waits for 0 */
	uint32_t queued; /* 1: dirty extents wait for the starter */
	uint32_t evicting; /* 1: readers ask instead of looking */
	struct hp_extent dirty[HP_EXTENTS];
	uint64_t missing; /* blocks of the map that are not present */
	uint32_t lockers; /* calls that rely on HP_FILE_PRIVATE now; who takes it away waits for 0 */
	uint32_t pad0;
	uint64_t pad[12];
};
_Static_assert(sizeof(struct hp_file) == 256, "file");

/* ---- attributes ----------------------------------------------------------- */
enum hp_attr_flags {
	HP_ATTR_LISTED = 1, /* directory: names that are not in the mirror do not exist */
	HP_ATTR_PLACEHOLDER = 2, /* regular file without content */
	HP_ATTR_HIDDEN = 4, /* not for the job's eyes (HP_PRIVATE_DIR) */
	HP_ATTR_LOCAL = 8, /* the object is the sandbox's own: show native attributes */
	HP_ATTR_TAKES_GS = 32, /* a program whose code, or a library's, writes %gs: for the tracer */
	HP_ATTR_UNKNOWN = 16, /* a directory made on the way to a local one: ask for its attributes */
	HP_ATTR_LINKS = 128, /* directory: symlinks are, or were, among its names */
	HP_ATTR_AWAITED = 64, /* only home knows the outcome of what is on its way: who shows attributes asks first */
};

struct hp_attr_entry {
	uint32_t sequence; /* odd while it changes */
	uint32_t flags; /* enum hp_attr_flags */
	uint64_t inode; /* tag: mirror inode, 0 empty */
	int64_t local_mtime_s; /* mtime the mirror had when attr was recorded: if it differs, the job wrote */
	uint32_t local_mtime_ns;
	uint32_t file; /* number in files[], 0 none */
	struct hpw_attr attr;
	uint64_t listed_at; /* what `listings` became when HP_ATTR_LISTED was set */
	uint64_t pad[3];
};
_Static_assert(sizeof(struct hp_attr_entry) == 192, "attr entry");

/* ---- what /proc/PID/exe should say ------------------------------------------ */
struct hp_proc {
	int32_t pid; /* 0 free */
	uint32_t length;
	char exe[HP_EXE_MAX + 4];
};
_Static_assert(sizeof(struct hp_proc) == 512, "proc");

/* ---- who watches ----------------------------------------------------------------- */
/* One call, as its thread saw it. Written only while `observed` is set: once when
 * it begins, once more when it is over. A reader believes an entry whose
 * `sequence` is the same before and after it copied the rest. */
enum hp_seen_flags {
	HP_SEEN_BEGUN = 1, /* the call goes on */
	HP_SEEN_PASSED = 2, /* the kernel was given the call as it was made */
};

#define HP_SEEN_TEXT 400u

struct hp_seen {
	uint64_t sequence; /* number of the entry + 1; 0: being written */
	uint64_t start_ns, duration_ns; /* CLOCK_MONOTONIC */
	int64_t result;
	uint64_t arg[6];
	uint32_t nr, flags; /* enum hp_seen_flags */
	int32_t pid, tid;
	uint32_t asked, trips; /* requests to the starter, and how often they waited for home */
	uint16_t length[2]; /* of the two texts that follow each other */
	uint8_t kept[2]; /* of which argument they are */
	uint8_t pad[2];
	uint8_t text[HP_SEEN_TEXT];
};
_Static_assert(sizeof(struct hp_seen) == 512, "seen");

/* One of a thread's last calls: the flight recorder, always on, in the thread's own memory. */
struct hp_recorded {
	uint32_t nr, done; /* done: `result` is there */
	uint64_t arg[6];
	int64_t result;
};
_Static_assert(sizeof(struct hp_recorded) == 64, "recorded");

/* The first piece of a crash. Registers in the order of the kernel's struct user_regs_struct. */
struct hp_crash {
	int32_t signal, code, pid, tid;
	uint64_t address; /* si_addr, or who sent it: pid in the low half, uid in the high */
	uint64_t trap, error; /* x86: number of the exception and its error code */
	uint64_t regs[18]; /* rax rbx rcx rdx rsi rdi rbp rsp r8 ... r15 rip eflags */
	uint64_t in_shim; /* it was hpool's own code that failed */
	char name[16]; /* of the thread */
	struct hp_recorded last[HP_RECORDED]; /* oldest first; nr 0xffffffff: none */
};
_Static_assert(sizeof(struct hp_crash) == 16 + 24 + 144 + 8 + 16 + 2048, "crash");

/* ---- the channel file -------------------------------------------------------- */
struct hp_channel {
	uint32_t magic, version;
	uint64_t size; /* of the whole file */
	uint64_t mirror_dev; /* st_dev of the mirror's file system */
	int64_t clock_offset_ns; /* home's clock minus this machine's */
	_Alignas(64) uint32_t doorbell; /* futex: grows with each request */
	uint32_t idle_workers; /* >0: someone sleeps on the doorbell */
	uint64_t requested[HP_SLOTS / 64]; /* a bit per slot in HP_SLOT_REQUEST; set before the doorbell rings */
	_Alignas(64) uint32_t dirty_bell; /* futex: grows when a file becomes dirty */
	uint32_t flusher_asleep;
	uint32_t append_set; /* 1: somebody gave a descriptor O_APPEND by fcntl */
	uint32_t sync_set; /* 1: somebody opened a file with O_SYNC or O_DSYNC */
	_Alignas(64) uint32_t lock_bell; /* futex: grows when home gave a lock that somebody waits for */
	uint32_t lock_probes; /* odd while the starter tries a native flock itself */
	uint32_t locks; /* files of which the job holds something at home */
	_Alignas(64) uint32_t observed; /* somebody watches: calls are written to `seen` */
	uint32_t crashes_left; /* so many more processes may tell how they died */
	uint32_t no_network;
	_Alignas(64) uint64_t listings; /* grows each time that a directory gets HP_ATTR_LISTED */
	uint64_t moves; /* grows twice, and is odd between, when a directory or symlink is moved or removed */
	uint32_t making; /* 1: the mirror may have a directory whose attributes are not in the table yet */
	uint32_t
		watched; /* 1: somebody watches names (inotify): the engine makes and opens files so that it is not heard */
	_Alignas(64) uint64_t calls; /* that had a handler; of a thread as often as it asks, and at its end */
	_Alignas(64) uint64_t seen_next; /* number of the next entry */
	_Alignas(64) uint32_t ngroups;
	uint32_t groups[63];
	_Alignas(4096) struct hp_slot slots[HP_SLOTS];
	_Alignas(4096) struct hp_file files[HP_FILES]; /* number 0 is never used */
	_Alignas(4096) struct hp_proc procs[HP_PROCS]; /* index: pid % HP_PROCS */
	_Alignas(4096) struct hp_seen seen[HP_SEEN]; /* index: number % HP_SEEN */
	_Alignas(4096) uint8_t maps[HP_MAP_BYTES];
};

/* What of a process's address space is hpool's, about: channel, attributes, the shim with its first stacks. */
#define HP_MAPPED_BYTES (sizeof(struct hp_channel) + HP_ATTR_COUNT * sizeof(struct hp_attr_entry) + (1ul << 20))

#endif
