/* The raw image of a job: what the dumper writes and the restorer reads.
 *
 * Two files. `meta` is a sequence of records, each a multiple of 8 bytes and begun by
 * struct hp_record; `pages` holds memory and file content, sparse, at the offsets that the
 * records name. Little endian, fixed widths, no padding that is not named. IMAGE.md is the
 * specification; whatever changes here changes HP_IMAGE_VERSION.
 */
#ifndef HPOOL_IMAGE_H
#define HPOOL_IMAGE_H

#include <stdint.h>

#define HP_IMAGE_MAGIC 0x676d696c6f6f7068ull /* "hpoolimg" */
#define HP_IMAGE_VERSION 9u
#define HP_IMAGE_PAGE 4096u
#define HP_IMAGE_ALIGN 65536u /* places in `pages` agree with addresses up to it: chunks have the same content */

enum hp_record_kind {
	HP_R_JOB = 1, /* the first */
	HP_R_PROCESS, /* a parent is before its children */
	HP_R_THREAD,  /* the first of a process is its leader */
	HP_R_ACTIONS,
	HP_R_SIGNAL,
	HP_R_TIMER,
	HP_R_VMA, /* of a process by rising address */
	HP_R_RUN,
	HP_R_OBJECT, /* before the files that name it */
	HP_R_FILE,
	HP_R_FD,
	HP_R_WATCH,
	HP_R_NAME, /* a directory is before what is in it */
	HP_R_LOCK,
	HP_R_SEMAPHORES,
	HP_R_UNDO, /* after the semaphores it is about */
	HP_R_QUEUE,
	HP_R_OPTION, /* after the socket it is about */
	HP_R_SETTING,
	HP_R_MARK, /* after the inotify descriptor it is about */
	HP_R_GUARD,
	HP_R_ATTRIBUTE, /* after the scratch name it is about */
	HP_R_END, /* the last */
	HP_R_KINDS,
};

struct hp_record {
	uint32_t kind, bytes; /* of the whole record */
};

struct hp_image_job {
	struct hp_record head;
	uint64_t magic;
	uint32_t version, first; /* the job's first process */
	uint64_t pages_bytes;
	int64_t realtime_ns, monotonic_ns, boottime_ns; /* as the job saw them, frozen */
	uint64_t xfeatures;                             /* XCR0 */
	uint64_t vdso_sum, loader_sum; /* hp_image_sum of those texts; vdso: as the kernel gives it */
	uint32_t vdso_bytes, loader_bytes;
	char hostname[72], kernel[72];
};

enum hp_image_state { HP_P_RUNS, HP_P_STOPPED, HP_P_ZOMBIE };
enum hp_image_process_flags {
	HP_P_SUBREAPER = 1,
	HP_P_LEADER_GONE = 2,
	HP_P_NOT_DUMPABLE = 4,
	HP_P_HIDES_CPU = 8, /* CPUID faults */
	HP_P_CWD_GONE = 16, /* its directory has no name any more */
};

struct hp_image_process {
	struct hp_record head;
	int32_t pid, ppid, pgid, sid;
	uint32_t state;
	int32_t wait_status, exit_signal; /* wait_status: of a zombie */
	uint32_t umask, personality, flags;
	uint32_t tty;     /* 1: its session has a controlling terminal, number tty_index of its devpts */
	int32_t tty_index, tty_foreground; /* process group */
	uint32_t stop_signal;
	uint64_t mm[11]; /* start_code end_code start_data end_data start_brk brk start_stack arg_start arg_end
	                  * env_start env_end */
	uint64_t rlimit[16][2];
	uint64_t itimer[3][4]; /* struct itimerval */
	uint32_t auxv_bytes, cwd_bytes; /* follow; cwd with its NUL */
};

struct hp_image_thread {
	struct hp_record head;
	int32_t pid, tid;
	uint64_t regs[27]; /* struct user_regs_struct */
	uint64_t sigmask;
	uint64_t clear_tid, robust, robust_bytes;
	uint64_t rseq;
	uint32_t rseq_bytes, rseq_signature;
	uint64_t altstack, altstack_bytes;
	uint32_t altstack_flags, death_signal;
	uint64_t dispatch[4]; /* mode selector offset length: Syscall User Dispatch */
	uint8_t affinity[128];
	int32_t policy, priority, nice;
	uint32_t xstate_bytes; /* follows, as NT_X86_XSTATE */
	char comm[16];
};

struct hp_image_actions {
	struct hp_record head;
	int32_t pid;
	uint32_t pad;
	struct {
		uint64_t handler, flags, restorer, mask;
	} of[64];
};

struct hp_image_signal {
	struct hp_record head;
	int32_t pid, tid; /* 0: the process's */
	uint8_t info[128];
};

struct hp_image_timer {
	struct hp_record head;
	int32_t pid, id, clock, notify, signal, tid;
	uint64_t value;
	int64_t interval_ns, left_ns; /* left 0: not armed */
};

enum hp_image_vma_kind { HP_V_ANON = 1, HP_V_FILE, HP_V_SHARED, HP_V_KERNEL };
enum hp_image_vma_flags {
	HP_V_GROWSDOWN = 1,
	HP_V_NORESERVE = 2,
	HP_V_LOCKED = 4,
	HP_V_DONTFORK = 8,
	HP_V_DONTDUMP = 16,
	HP_V_WIPEONFORK = 32,
	HP_V_HUGE = 64,
	HP_V_NOHUGE = 128,
	HP_V_SEQUENTIAL = 256,
	HP_V_RANDOM = 512,
	HP_V_MERGEABLE = 1024,
	HP_V_GUARDED = 2048,
	HP_V_READ_ONLY = 4096, /* shared, and mprotect cannot make it writable: SHM_RDONLY */
};

struct hp_image_vma {
	struct hp_record head;
	int32_t pid;
	uint32_t kind, prot, flags;
	uint64_t start, end, offset; /* offset: in the object */
	uint32_t object; /* 0: none */
	uint32_t shared;
	uint64_t pages; /* where `start` would be in the file `pages` */
	char name[16];  /* HP_V_KERNEL: [vdso], [vvar], ... */
};

/* Content: of a process's memory (object 0; at: address), or of an object (pid 0; at: offset). */
struct hp_image_run {
	struct hp_record head;
	int32_t pid;
	uint32_t object;
	uint64_t at, bytes, pages;
};

/* Pages that nobody may touch, within a mapping (MADV_GUARD_INSTALL). */
struct hp_image_guard {
	struct hp_record head;
	int32_t pid;
	uint32_t pad;
	uint64_t start, end;
};

enum hp_image_object_kind {
	HP_O_NAMED = 1, /* a file that is reached by its name */
	HP_O_MEMORY,    /* memfd, shared anonymous memory, a file without a name: travels with content */
	HP_O_PIPE,
	HP_O_SOCKET,
	HP_O_TERMINAL, /* a pair of the job's own */
	HP_O_SYSV, /* a segment of System V shared memory: travels with content */
	HP_O_QUEUE, /* a POSIX queue of messages: travels with content */
	HP_O_KINDS,
};

/* `size` of a unix socket: rights of its name, or */
#define HP_NAME_GONE 0x10000u
#define HP_NAME_UNKNOWN 0x20000u

enum hp_image_terminal_flags {
	HP_T_PACKETS = 1,   /* its other end tells what happens to it, by packets */
	HP_T_EXCLUSIVE = 2, /* nobody else may open it */
	HP_T_LOCKED = 4,    /* nobody may open it yet */
	HP_T_UNOPENED = 8,  /* nobody has */
	HP_T_HUNG_UP = 16,  /* its other end is gone */
};

struct hp_image_object {
	struct hp_record head;
	uint32_t id, kind, mode, seals;
	uint64_t size, device, inode;
	int64_t mtime_s, mtime_ns;
	uint64_t extra[6]; /* by kind, see IMAGE.md */
	uint32_t path_bytes, extra_bytes; /* follow: path with its NUL, then bytes by kind */
};

enum hp_image_file_kind {
	HP_F_NAMED = 1,
	HP_F_MEMORY,
	HP_F_PIPE,
	HP_F_SOCKET,
	HP_F_EVENT,
	HP_F_TIMER,
	HP_F_SIGNAL,
	HP_F_EPOLL,
	HP_F_PROCESS, /* pidfd */
	HP_F_STDIO,   /* one of the three streams the keeper was given */
	HP_F_TERMINAL,
	HP_F_QUEUE,
	HP_F_INOTIFY,
	HP_F_KINDS,
};

/* An open file description. */
struct hp_image_file {
	struct hp_record head;
	uint32_t id, kind, object, flags; /* O_* */
	int64_t position;
	uint64_t extra[6]; /* by kind, see IMAGE.md */
};

struct hp_image_fd {
	struct hp_record head;
	int32_t pid, fd;
	uint32_t file, cloexec;
};

/* What an epoll waits for: what was descriptor `fd` of process `pid`, and still is its descriptor `held`. */
struct hp_image_watch {
	struct hp_record head;
	uint32_t file, events;
	int32_t pid, fd, held;
	uint32_t pad;
	uint64_t value;
};

#define HP_WD_MOST (1 << 20) /* such a number is reached by counting up to it */
/* What an inotify descriptor watches. */
struct hp_image_mark {
	struct hp_record head;
	uint32_t file;
	int32_t wd;
	uint32_t mask; /* IN_*, with IN_ONESHOT and IN_EXCL_UNLINK */
	uint32_t path_bytes; /* follows, with its NUL */
};

enum hp_image_lock_kind { HP_L_FLOCK = 1, HP_L_OFD, HP_L_POSIX };

struct hp_image_lock {
	struct hp_record head;
	int32_t pid, fd;
	uint32_t kind, exclusive;
	int64_t first, last; /* last -1: to the end */
};

/* A name in a scratch directory of the job's. */
struct hp_image_name {
	struct hp_record head;
	uint32_t mode, object; /* object: content of a regular file, 0: empty or none */
	uint64_t device, inode; /* as it was: hard links */
	int64_t mtime_s, mtime_ns;
	uint32_t path_bytes, target_bytes; /* follow, each with its NUL; target: of a symlink, else 0 */
};

/* An extended attribute of a scratch name. */
struct hp_image_attribute {
	struct hp_record head;
	uint32_t number;                    /* of the name, from 0 */
	uint32_t name_bytes, value_bytes, pad; /* follow, the name with its NUL */
};

enum hp_image_setting_kind {
	HP_S_TIMER_SLACK = 1, /* of a thread; ns */
	HP_S_IO_PRIORITY,     /* of a thread */
	HP_S_NO_HUGE_PAGES,   /* of a process, as those that follow */
	HP_S_NO_NEW_CODE,     /* PR_SET_MDWE */
	HP_S_BARRIERS,       /* membarrier: commands by which it has registered */
	HP_S_MEMORY_SCORE,    /* oom_score_adj + 1000 */
	HP_S_CORE_FILTER,
	HP_S_OWNER,  /* of a descriptor, who is told by a signal: struct f_owner_ex */
	HP_S_SIGNAL, /* of a descriptor: by which */
	HP_S_ASYNC,  /* of a descriptor: flags of its description, O_ASYNC among them */
	HP_S_REGISTERS,    /* of a process: sets of registers it may use because it has asked (AMX) */
	HP_S_NO_TSC,       /* PR_SET_TSC */
	HP_S_BAD_MEMORY,   /* PR_MCE_KILL */
	HP_S_MERGE_MEMORY, /* PR_SET_MEMORY_MERGE */
	HP_S_SLICE,        /* of a thread; ns it runs at once, as sched_setattr has it */
	HP_S_KINDS,
};

/* Where it is not what a new process has. */
struct hp_image_setting {
	struct hp_record head;
	int32_t pid, of; /* of: a thread or a descriptor */
	uint32_t kind, pad;
	uint64_t value;
};

struct hp_image_semaphore {
	int32_t pid; /* of whoever changed it last; 0: nobody */
	uint16_t value, pad;
};

/* A System V set of semaphores. */
struct hp_image_semaphores {
	struct hp_record head;
	int32_t id, key;
	uint32_t mode, count; /* count: of struct hp_image_semaphore, which follow */
	int64_t operated_s; /* 0: never by semop */
};

/* What is added to a semaphore when the process ends (SEM_UNDO). */
struct hp_image_undo {
	struct hp_record head;
	int32_t pid, id;
	uint32_t number;
	int32_t adjust;
};

struct hp_image_message {
	int64_t type; /* of a POSIX queue: its priority */
	uint32_t bytes, pad; /* follow, with zeros up to a multiple of 8 */
};

/* What waits in a unix socket; its address and its bytes follow. */
struct hp_image_letter {
	uint32_t bytes, address_bytes; /* address: of the sender of a datagram, sun_path */
};

/* A System V queue of messages. */
struct hp_image_queue {
	struct hp_record head;
	int32_t id, key;
	uint32_t mode, count; /* count: of struct hp_image_message, which follow */
	int32_t sender, receiver; /* the last ones; 0: nobody yet */
	uint64_t room, bytes; /* bytes: of what follows */
};

enum hp_image_inet { /* extra[2] of a socket of the Internet families */
		     HP_I_PLAIN,
		     HP_I_LISTENS,
		     HP_I_PAIR, /* connected with another one of the job */
		     HP_I_ALONE, /* whose partner has closed its end */
		     HP_I_WAITS, /* connected, but not accepted yet */
		     HP_I_OVER, /* was connected */
		     HP_I_CONNECTED, /* datagrams: knows whom it talks to */
		     HP_I_REFUSED, /* could not connect: nobody was there */
		     HP_I_KINDS,
};

enum hp_image_ends { /* extra[3] of a socket */
		     HP_ENDS_RECEIVING = 1,
		     HP_ENDS_SENDING = 2,
		     HP_ENDS_UNREAD =
			     4, /* unix: its partner left without having read all, which nobody has been told */
		     HP_ENDS_MET = 8, /* unix: has or had a partner */
};

/* Of a socket, where it is not what a new one has; its value follows. Of SO_ATTACH_FILTER: the filter's program; of
 * MCAST_MSFILTER: a group it is a member of, struct group_filter. */
struct hp_image_option {
	struct hp_record head;
	uint32_t object, level, name, bytes;
};

/* A datagram that waits, in front of its bytes. */
struct hp_image_datagram {
	uint32_t bytes;
	uint8_t from[28]; /* struct sockaddr_in or sockaddr_in6 */
};

struct hp_image_end {
	struct hp_record head;
	uint64_t records;
	uint64_t sum; /* of all before this record */
};

#endif
