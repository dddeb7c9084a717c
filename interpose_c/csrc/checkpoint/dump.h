/* Inside of the dumper. */
#ifndef HPOOL_DUMP_H
#define HPOOL_DUMP_H

#include "checkpoint.h"

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

struct hp_dump {
	struct hp_writer writer;
	struct hp_frozen frozen;
	struct hp_process *processes; /* parents first */
	unsigned count;
	pid_t first;
	struct hp_known *known;
	struct hp_thing *things[256];
	uint32_t files, objects;
	uint64_t stdio[3][2]; /* device and inode of the job's streams */
	const uint8_t *vdso;
	size_t vdso_bytes;
	bool has_swap;
	bool own_network; /* a namespace of the job's own, with a loopback and nothing else */
};

struct hp_process *hp_dump_process(struct hp_dump *, pid_t pid);
/* Its number, or 0 and *made is set: the caller describes it now. */
uint32_t hp_dump_thing(struct hp_dump *, uint64_t device, uint64_t inode, uint32_t kind, bool *made);

/* ---- dump.c ---------------------------------------------------------------------------------- */
uint64_t hp_xfeatures(void);
uint64_t hp_file_sum(const char *path, uint32_t *bytes);

/* ---- dump_maps.c, dump_memory.c ------------------------------------------------------------ */
bool hp_dump_read_maps(struct hp_process *);
bool hp_dump_memory(struct hp_dump *, struct hp_process *);
/* Everything of an object that only mappings lead to. */
bool hp_dump_copy(struct hp_dump *, pid_t from, uint64_t start, uint64_t bytes, uint64_t pages);

/* ---- dump_tasks.c ------------------------------------------------------------------------- */
/* Blocks signals, takes dispatch away, finds a syscall instruction and scratch. */
bool hp_dump_prepare(struct hp_dump *, struct hp_process *);
bool hp_dump_tasks(struct hp_dump *, struct hp_process *);
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
void hp_dump_write_socket(struct hp_dump *, struct hp_image_object *, int fd, const void *address, size_t length,
			  const void *content, size_t bytes);
bool hp_dump_object_terminal(struct hp_dump *, int fd, unsigned index, uint32_t *id);
bool hp_dump_object_runs(struct hp_dump *, int fd, uint32_t id, uint64_t size, uint64_t region);

/* ---- dump_ipc.c, dump_undo.c: System V objects -------------------------------------------------- */
bool hp_dump_ipc(struct hp_dump *);
/* After the sets it is about, and all processes are prepared. */
bool hp_dump_undo(struct hp_dump *, int id, unsigned number, uint16_t value);
bool hp_dump_attached(struct hp_dump *, struct hp_process *, struct hp_mapping *);

/* ---- dump_names.c: scratch directories --------------------------------------------------------- */
bool hp_dump_names(struct hp_dump *);

#endif
