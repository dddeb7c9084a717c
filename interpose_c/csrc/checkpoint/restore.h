/* Inside of the restorer. */
#ifndef HPOOL_RESTORE_H
#define HPOOL_RESTORE_H

#include "checkpoint.h"

/* ---- index.c: what is found by number ------------------------------------------------------ */
struct hp_indexed {
	const struct hp_image_object *object; /* NULL: there is none */
	uint32_t first_run; /* of its content: 1 + number among the runs, or 0 */
	uint32_t place;     /* among those that have a descriptor while they are made, or 0 */
	bool has_name;      /* content of a scratch name */
};

/* ---- read.c: an image, checked ---------------------------------------------------------- */
struct hp_image {
	const uint8_t *meta;
	size_t meta_bytes;
	const struct hp_image_job *job;
	const void **of[HP_R_KINDS];
	unsigned count[HP_R_KINDS];
	const uint8_t *pages;
	uint64_t pages_bytes;
	int high;         /* above every descriptor of the job's: ours while it is made */
	uint32_t objects, files; /* greatest numbers */
	struct hp_indexed *index; /* of objects; 0: memory of processes */
	uint32_t *next_run;       /* of the same object, as first_run */
	uint32_t held;            /* how many have a place */
	bool has_proc;            /* some file tells of a process */
};

/* True, or a refusal that names what is wrong. The descriptors stay the caller's. */
bool hp_image_read(struct hp_image *, int meta, int pages);
/* What it lists is no longer there; the lists are. */
void hp_image_close(struct hp_image *);
const char *hp_image_path(const struct hp_image_object *);
const uint8_t *hp_image_extra(const struct hp_image_object *);
const struct hp_image_object *hp_image_object(const struct hp_image *, uint32_t id);
bool hp_is_of_proc(const struct hp_image *, const struct hp_image_file *); /* tells of a process */
/* Whether that is what a process has at a number. */
bool hp_is_proc_at(const struct hp_image *, pid_t pid, int number);
/* A scratch name that has this content, or NULL. */
const char *hp_image_name_of(const struct hp_image *, uint32_t id);
const struct hp_image_process *hp_image_process(const struct hp_image *, pid_t pid);
bool hp_image_pid_known(const struct hp_image *, pid_t pid); /* of anything */
#define HP_HIGHEST_PID 32000
pid_t hp_image_free_pid(const struct hp_image *, pid_t below);

/* The descriptors that all processes have while they are made. */
static inline int hp_fd_of_file(const struct hp_image *image, uint32_t file)
{
	return image->high + (int)file;
}
static inline int hp_fd_of_object(const struct hp_image *image, uint32_t object)
{
	return image->high + (int)(image->files + 1 + image->index[object].place);
}
static inline int hp_fd_last(const struct hp_image *image)
{
	return image->high + (int)(image->files + 1 + image->held);
}

#define HP_EACH(image, type, kind, record) \
	for (unsigned record##_n = 0; record##_n < (image)->count[kind]; record##_n++) \
		for (const struct type *record = (image)->of[kind][record##_n]; record; record = NULL)

#define HP_EACH_RUN(image, id, run) \
	for (uint32_t run##_n = (image)->index[id].first_run; run##_n; run##_n = (image)->next_run[run##_n - 1]) \
		for (const struct hp_image_run *run = (image)->of[HP_R_RUN][run##_n - 1]; run; run = NULL)

/* When all objects, and when all runs and names are known to be fine. */
bool hp_index_objects(struct hp_image *);
bool hp_index_content(struct hp_image *);

/* ---- together.c: what the restorer and the processes being made tell each other -------------- */
struct hp_together {
	uint32_t lock, want, granted;
	uint32_t born, grouped, placed; /* how many */
	int32_t device;  /* /dev/userfaultfd in the processes being made, or -1 */
	uint32_t failed; /* errno; `stage` first */
	char stage[200];
	uint32_t go[]; /* by number of the process */
};

extern struct hp_together *hp_together;
bool hp_together_make(unsigned processes);
/* Clones with this number; the child returns 0. */
pid_t hp_together_fork(pid_t pid, int flags);
void hp_together_add(uint32_t *count);
void hp_together_await(const uint32_t *count, uint32_t value);
/* One of the processes being made cannot go on: tells, and ends. */
_Noreturn void hp_together_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* In the restorer: grants numbers until *count is value. False: somebody failed. */
bool hp_together_serve(int last_pid, const uint32_t *count, uint32_t value);

/* ---- make_files.c, make_sockets.c, make_terminals.c, make_names.c: in the job's world, confined ------------------- */
void hp_make_names(const struct hp_image *);
/* Their rights, which may be fewer than those of who has them open, and times. */
void hp_settle_names(const struct hp_image *);
void hp_make_files(const struct hp_image *);
void hp_make_sockets(const struct hp_image *);
void hp_make_terminals(const struct hp_image *);
/* make_queues.c. Their rights come when all files are open. */
void hp_make_queues(const struct hp_image *);
void hp_settle_queues(const struct hp_image *);
void hp_keep_terminal(int number); /* its other end, above that number */
/* In the process itself: descriptors at their numbers, what only it can open, locks. */
void hp_place_files(const struct hp_image *, const struct hp_image_process *);
/* Moves a descriptor to where it is found. */
void hp_put_fd(int fd, int at);

/* ---- make_ipc.c: in PID 1, while it has all capabilities and nobody else is there ------------------ */
void hp_make_ipc(const struct hp_image *, int last_pid);

/* ---- make_inet.c: sockets of the Internet families; likewise in PID 1 ------------------------------- */
void hp_make_inet(const struct hp_image *);
int hp_inet_made(uint32_t object); /* its descriptor */
/* In the maker: to above that number. */
void hp_inet_move_above(int number);
void hp_inet_close(void);
/* make_options.c. 0, or errno is set. */
int hp_socket_options(const struct hp_image *, uint32_t object, int fd);
/* What shutdown() is told to end what had been ended, or -1: nothing. */
int hp_ends_of(const struct hp_image_object *);
/* When all are filled: the multicast groups it is a member of. 0, or errno is set. */
int hp_socket_groups(const struct hp_image *, uint32_t object, int fd);
/* When it is connected and filled: nothing of that is for its filter. 0, or errno is set. */
int hp_socket_filter(const struct hp_image *, uint32_t object, int fd);

/* ---- make_home.c: what is home's, in a new mirror ------------------------------------------------- */
/* As open(2), after the starter has made it possible. */
int hp_home_open(const char *path, int flags);
void hp_home_enter(const char *path); /* a directory is going to be entered */
void hp_make_mapped(const struct hp_image *);
/* errno: home refuses; nothing is to be asked of a file that is not home's. */
int hp_home_lock(const struct hp_image_lock *);
int hp_home_locked(const struct hp_image_lock *);

/* Where lazy memory comes from (lazy.c). */
struct hp_faults {
	int device;  /* /dev/userfaultfd, or -1: all of it is there before the job runs */
	uint64_t least; /* bytes: of less all is there, too */
	int hold[2]; /* what is sent to [1] stays open as long as anybody has [0] */
};

/* ---- make_tree.c --------------------------------------------------------------------------------- */
/* Makes all processes; each waits for its `go` and executes the loader. */
_Noreturn void hp_make_tree(const struct hp_image *, const struct hp_faults *);

/* ---- restore_*.c: from outside, by ptrace ------------------------------------------------------- */
struct hp_restored {
	const struct hp_image *image;
	const struct hp_image_process *process;
	struct hp_remote leader;
	struct hp_remote *threads; /* as the image's, the leader's too */
	const struct hp_image_thread **states;
	unsigned count;
	int last_pid; /* descriptor of ns_last_pid */
};

bool hp_restore_memory(struct hp_restored *);
bool hp_restore_shim(struct hp_restored *); /* after its memory */
/* restore_shim.c: a table in the loader here, which is the image's (fits_this_machine), by its magic. */
bool hp_loader_find(const char *magic, size_t length, void *table, size_t size);

/* restore_memory.c: of memory files, in any process, when all have mapped them. */
bool hp_restore_seals(struct hp_restored *);
/* restore_ipc.c: segments of System V where they were attached, before anything else is mapped. */
bool hp_restore_attached(struct hp_restored *);
bool hp_is_attached(const struct hp_image *, const struct hp_image_vma *);
/* Of semaphores that this process changed last, or of the others. */
bool hp_restore_undo(struct hp_restored *, bool last);
/* Segments that are gone when nobody has them any more. */
bool hp_restore_removed(const struct hp_image *);
/* make_queues.c: whom a POSIX queue tells that a message has come. When the process closes no descriptor any more. */
bool hp_restore_notices(struct hp_restored *);
/* make_terminals.c: who may open them, when all that are to be opened are. */
bool hp_restore_terminals(struct hp_restored *);
/* restore_marks.c: what inotify descriptors watch. When the making is over that could be heard. */
bool hp_restore_marks(const struct hp_image *);
bool hp_restore_settings(struct hp_restored *); /* restore_settings.c: of it and its threads */
bool hp_restore_proc(struct hp_restored *);     /* what it has open below /proc of processes */
bool hp_restore_process(struct hp_restored *);
bool hp_restore_threads(struct hp_restored *);
bool hp_restore_signals(struct hp_restored *);
/* Last: registers, dispatch, mask; and it runs. */
bool hp_restore_finish(struct hp_restored *);

/* ---- lazy.c: memory that follows while the job runs ------------------------------------------------ */
/* In the restorer, when all processes are born. A thread of its own takes a number: `last_pid` is asked to be it. */
void hp_lazy_choose(const struct hp_image *, const struct hp_faults *, void (*last_pid)(pid_t));
/* In the maker: the device to above that number, for all processes. */
void hp_lazy_inherit(const struct hp_faults *, int above);
/* Content that is not to be written at once, if hp_lazy_begin can have it follow. */
bool hp_lazy_is(const struct hp_image_run *);
/* When all is mapped, and all else is written. False: write it too. */
bool hp_lazy_begin(struct hp_restored *);
/* When the job runs; returns when all its memory is there. */
void hp_lazy_end(void);

/* ---- restore.c: what PID 1 calls --------------------------------------------------------------------- */
/* While it has all capabilities, before it mounts: reads the image, sets clocks. Dies on failure. */
void hp_restore_prepare(int meta, int pages);
/* After the mounts, before it sheds them: starts the restorer. *status is at its end when the job runs. */
pid_t hp_restore_start(const struct hp_faults *, int *status);
/* Confined: starts the tree. The job's first process. */
pid_t hp_restore_run(void);

#endif
