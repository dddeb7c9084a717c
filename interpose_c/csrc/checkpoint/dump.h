/* Inside of the dumper. */
#ifndef HPOOL_DUMP_H
#define HPOOL_DUMP_H

#include "checkpoint.h"

#include <sys/uio.h>

/* ---- enter.c ------------------------------------------------------------------------- */
/* 0 in a child in the PID namespace of the job whose first process that is, and which dies with us; its pid
 * here; or -errno. `init`: a pidfd of that process, in both. */
long hp_enter(pid_t first, int *init);
int hp_enter_wait(long child); /* its exit status; 1 if it was killed */

/* ---- freeze.c ------------------------------------------------------------------------ */
struct hp_task {
	pid_t pid, tid;
	bool stopped;
	int stop_signal; /* of a process that is stopped by itself */
	struct hp_remote remote;
	uint64_t sigmask, dispatch[4]; /* as they were: all signals are blocked and dispatch is off meanwhile */
	bool changed;
};

struct hp_frozen {
	struct hp_task *tasks; /* by process, its leader first */
	unsigned count, room, moving;
};

/* due.c: of what is pending for a stopped task */
struct hp_due {
	bool comes; /* before anything else, when it goes on */
	bool any;
	bool waits; /* for being unblocked, but would not wait for the end of a step */
};
struct hp_due hp_due(pid_t tid);
void hp_call_again(pid_t tid); /* nothing is due, and only our stop has ended the call it was in */
bool hp_take_back(pid_t tid); /* about to be given the SIGSYS of a call: as before the call, which then needs none */

bool hp_freeze(struct hp_frozen *);
void hp_thaw(struct hp_frozen *);
/* Wherever they are, within a handler too. */
bool hp_stop(struct hp_frozen *);
void hp_go_on(struct hp_frozen *);
/* freeze.c asks: is it in a handler of the shim's, where numbers of this mirror are on the stack? */
bool hp_is_inside(const struct hp_task *);

/* ---- the whole -------------------------------------------------------------------------- */
struct hp_mapping {
	uint64_t start, end, offset, device, inode;
	uint32_t prot, flags; /* flags: enum hp_image_vma_flags */
	bool shared, io;
	char name[4200]; /* as maps shows it */
	uint64_t pages;  /* where its beginning is in the image */
	uint32_t object;
	enum hp_image_vma_kind kind;
};

struct hp_process {
	pid_t pid;
	struct hp_stat stat;
	struct hp_task *tasks; /* none: a zombie */
	unsigned count;
	struct hp_mapping *mappings;
	unsigned mapping_count;
	pid_t *fds; /* numbers */
	int fd_count, pidfd;
	bool hidden; /* not dumpable: for a while it is, or its /proc entry is closed */
	bool reaps;  /* PR_SET_CHILD_SUBREAPER; known when it has been written down */
	char *smaps;
	struct hp_track *track; /* NULL: nothing of it was copied while it ran */
};

struct hp_known { /* an open file description, found by what kcmp says */
	pid_t pid;
	int fd;
	uint64_t device, inode;
	uint32_t id;
	struct hp_known *before, *behind;
};

struct hp_thing { /* an inode */
	uint64_t device, inode;
	uint32_t id, kind;
	struct hp_thing *next;
};

struct hp_mark; /* dump_marks.c: what an inotify descriptor watches */
struct hp_listener;

struct hp_dump {
	struct hp_writer writer;
	struct hp_frozen frozen;
	struct hp_process *processes; /* parents first */
	unsigned count;
	pid_t first;
	struct hp_known *known;
	struct hp_thing *things[256];
	uint32_t files, objects;
	struct hp_mark *marks[256]; /* by inode */
	struct hp_listener *listeners;
	uint64_t stdio[3][2]; /* device and inode of the job's streams */
	uint64_t terminal;    /* its number as a device, if they are one */
	int terminal_master;  /* its other end, or -1 */
	const uint8_t *vdso;
	size_t vdso_bytes;
	bool has_swap;
	bool own_network; /* a namespace of the job's own, with a loopback and nothing else */
	struct hp_track *tracks; /* by process: precopy.c */
	unsigned track_count;
};

/* ---- dump_list.c ------------------------------------------------------------------------ */
bool hp_dump_list(struct hp_dump *);
void hp_dump_forget(struct hp_dump *);
struct hp_process *hp_dump_process(struct hp_dump *, pid_t pid);
bool hp_dump_check_sharing(struct hp_dump *);
/* When all have been asked whether they are subreapers. */
bool hp_dump_check_births(const struct hp_dump *);
bool hp_dump_shares_memory(const struct hp_dump *, const struct hp_process *);
bool hp_dump_check_filters(struct hp_process *);

/* ---- dump.c ------------------------------------------------------------------------------ */
/* Its number, or 0 and *made is set: the caller describes it now. */
uint32_t hp_dump_thing(struct hp_dump *, uint64_t device, uint64_t inode, uint32_t kind, bool *made);

uint64_t hp_xfeatures(void);
uint64_t hp_file_sum(const char *path, uint32_t *bytes);

/* ---- dump_maps.c ------------------------------------------------------------------------ */
/* Without advice it takes no time, but the flags are not told: hp_dump_advice_end gives them. */
bool hp_dump_read_maps(struct hp_process *, bool advice);
/* Text of smaps, which takes 7 ms a GiB: read beside whatever else is done. No call of the job's that changes its
 * mappings meanwhile, it would wait. */
void hp_dump_advice_begin(struct hp_dump *);
bool hp_dump_advice_end(struct hp_dump *);

/* ---- copy.c: from a process's memory to the image's pages -------------------------------- */
#define HP_COPY_PIECES 512
struct hp_copy {
	struct hp_dump *dump;
	struct hp_track *track; /* it runs: what cannot be read is left, what was is noted there */
	pid_t pid;
	int memory; /* /proc/PID/mem: also what the process itself may not read */
	struct iovec theirs[HP_COPY_PIECES];
	uint64_t pages[HP_COPY_PIECES];
	unsigned count;
	size_t bytes;
};
bool hp_copy_add(struct hp_copy *, uint64_t at, uint64_t bytes, uint64_t pages);
bool hp_copy_end(struct hp_copy *);
int hp_copy_open(pid_t pid, const char *name);
bool hp_copy_unreadable(pid_t pid, uint64_t at);
/* Everything of an object that only mappings lead to. */
bool hp_dump_copy(struct hp_dump *, pid_t from, uint64_t start, uint64_t bytes, uint64_t pages);

/* ---- track.c: which pages of a process have been written to since they were copied -------- */
struct hp_region {
	uint64_t start, end, pages;
	uint64_t *copied; /* a bit a page: the image has had it since it was armed */
};

struct hp_range {
	uint64_t start, end;
};

struct hp_track {
	pid_t pid;
	int pidfd; /* the same process still, not another of that number */
	int uffd, pagemap, memory;
	struct hp_region *regions; /* by address */
	unsigned count, room;
	struct hp_range *due; /* armed, and now to be copied */
	size_t due_count, due_room;
	struct hp_range *kept; /* of the image's pages: what runs name */
	size_t kept_count, kept_room;
	bool keeps_all; /* no memory for `kept` */
};

/* Its process stands still. False: this kernel cannot, or not this process. */
bool hp_track_begin(struct hp_dump *, struct hp_track *, struct hp_process *);
void hp_track_end(struct hp_track *); /* what was copied is in vain */
struct hp_track *hp_track_of(struct hp_dump *, const struct hp_process *); /* or NULL */
/* Fills `due`: what has been written to since the last time, and what is new. False: the memory is gone. */
bool hp_track_arm(struct hp_dump *, struct hp_track *, const struct hp_process *);
/* The region that has this address, or NULL; *until: where that ends to be so. */
const struct hp_region *hp_track_region(const struct hp_track *, uint64_t at, uint64_t *until);
void hp_track_copied(struct hp_track *, uint64_t at, uint64_t bytes);
bool hp_track_has(const struct hp_region *, uint64_t at);
/* Gives back what of the image's pages no run names: it has been copied in vain. */
void hp_track_keep(struct hp_track *, uint64_t pages, uint64_t bytes);
void hp_track_drop_rest(struct hp_dump *, struct hp_track *);

/* ---- precopy.c ---------------------------------------------------------------------------- */
/* Copies memory while the job runs, if there is much of it. `soon` is called when little is left. */
struct hp_precopied {
	int64_t stopped_ns; /* meanwhile, in all */
	unsigned passes;
};
struct hp_precopied hp_precopy(struct hp_dump *, void (*soon)(void *), void *);

/* ---- dump_memory.c -------------------------------------------------------------------------- */
bool hp_dump_memory(struct hp_dump *, struct hp_process *);
void hp_dump_mappings(struct hp_dump *, const struct hp_process *);

/* ---- dump_tasks.c ------------------------------------------------------------------------- */
/* Blocks signals, takes dispatch away, finds a syscall instruction and scratch. */
bool hp_dump_prepare(struct hp_dump *, struct hp_process *);
bool hp_dump_tasks(struct hp_dump *, struct hp_process *);
/* dump_settings.c: what a process and its threads, or a description's owner, have asked of the kernel. */
void hp_dump_settings(struct hp_dump *, struct hp_process *);
bool hp_dump_owner(struct hp_dump *, pid_t pid, int number, int fd);
/* Everything as it was. */
void hp_dump_release(struct hp_process *);

/* ---- dump_files.c, dump_objects.c, dump_sockets.c --------------------------------------------- */
bool hp_dump_files(struct hp_dump *, struct hp_process *);
bool hp_dump_object_named(struct hp_dump *, const char *path, uint64_t device, uint64_t inode, int fd, uint32_t *id);
bool hp_dump_object_content(struct hp_dump *, int fd, const char *name, uint32_t *id);
bool hp_dump_object_mapped(struct hp_dump *, struct hp_process *, struct hp_mapping *);
bool hp_dump_object_pipe(struct hp_dump *, pid_t pid, int number, int fd, uint32_t *id);
bool hp_dump_object_socket(struct hp_dump *, pid_t pid, int number, int fd, uint32_t *id);
/* dump_inet.c: of the Internet families. */
bool hp_dump_inet(struct hp_dump *, pid_t pid, int number, int fd, struct hp_image_object *);
/* dump_options.c: the record, and one for each option that is not what a new socket has. */
bool hp_dump_write_socket(struct hp_dump *, struct hp_image_object *, int fd, const void *address, size_t length,
			  const void *content, size_t bytes);
/* One more, of a socket that has its record. */
void hp_dump_option(struct hp_dump *, uint32_t object, int level, int name, const void *value, size_t bytes);
/* dump_groups.c: the multicast groups it is a member of, as options. */
bool hp_dump_groups(struct hp_dump *, pid_t pid, int number, int fd, uint32_t object);
bool hp_dump_object_terminal(struct hp_dump *, unsigned index, uint32_t *id);
bool hp_dump_object_runs(struct hp_dump *, int fd, uint32_t id, uint64_t size, uint64_t region);

/* ---- dump_ipc.c, dump_undo.c: System V objects -------------------------------------------------- */
bool hp_dump_ipc(struct hp_dump *);
/* After the sets it is about, and all processes are prepared. */
bool hp_dump_undo(struct hp_dump *, int id, unsigned number, uint16_t value);
bool hp_dump_attached(struct hp_dump *, struct hp_process *, struct hp_mapping *);

/* ---- dump_queues.c: POSIX queues of messages ------------------------------------------------------ */
/* Those that have a name, whoever uses them. */
bool hp_dump_queues(struct hp_dump *);
bool hp_is_queue(int fd);
bool hp_dump_object_queue(struct hp_dump *, const char *name, int fd, uint32_t *id);

/* ---- dump_marks.c: what inotify descriptors watch ----------------------------------------------- */
bool hp_dump_inotify(struct hp_dump *, pid_t pid, int number, int fd, const char *info, uint32_t file);
/* Has one of them heard of something that nobody has read? They stand still. */
bool hp_has_unread(const struct hp_frozen *);
/* A name of scratch, before anything is opened there. */
bool hp_dump_marked(struct hp_dump *, const char *path, uint64_t inode);
/* Those that are nowhere in scratch. */
bool hp_dump_marks(struct hp_dump *);
/* What the job would hear of the dump. */
void hp_dump_hush(struct hp_dump *);

/* ---- dump_names.c: scratch directories --------------------------------------------------------- */
bool hp_dump_names(struct hp_dump *);
bool hp_is_scratch(const char *path);
/* A path of that socket's file, if it is in scratch and that has room for it. `inode`: 32 bits of it, then all. */
bool hp_scratch_socket(uint64_t device, uint64_t *inode, char *path, size_t room);

#endif
