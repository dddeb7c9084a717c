/* What the keeper's files say to each other. One process, one job: the control
 * socket and what was granted are the only state outside of arguments. */
#ifndef HPOOL_KEEPER_H
#define HPOOL_KEEPER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#define HP_MUST_CHECK __attribute__((warn_unused_result))
#define HP_AUTO_CLOSE __attribute__((cleanup(hp_auto_close)))

static inline void hp_auto_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* ---- spec.c: what the starter asks for ------------------------------------ */
struct hp_limit {
	int resource;
	struct rlimit value;
};

/* Who meets the job's system calls: its processes themselves, until one does what they
 * cannot serve; always they; the tracer from the first call on. */
enum hp_front { HP_FRONT_AUTO, HP_FRONT_SHIM, HP_FRONT_TRACE };

struct hp_spec {
	const char *exe, *cwd, *hostname;
	char **argv; /* argv[0] is the loader's INFO word, then the job's own */
	char **envp;
	char **islands; /* NULL-terminated, as argv and envp are */
	struct hp_limit limits[RLIM_NLIMITS];
	unsigned limit_count;
	int umask; /* -1: leave */
	uint64_t ignored, blocked; /* signals, as in /proc/PID/status: bit 0 is number 1 */
	unsigned closed; /* of descriptors 0, 1, 2: bits */
	bool network_host;
	bool own_session; /* the first process leads one */
	bool tty;
	unsigned short rows, columns;
	uint64_t memory_bytes, max_processes; /* 0: unbounded */
	enum hp_front front;
	bool without_dispatch; /* as on a kernel that has none */
	uint64_t cpu_level;    /* of x86-64's ABI: what the job sees of the processor; 0: all */
	int restore[2]; /* an image's two files, or -1: the job begins */
	int faults;     /* /dev/userfaultfd, or -1: what an image has is there before the job goes on */
	uint64_t lazy_bytes; /* as also if it has less than that */
};

/* 0 or -errno; EBADMSG for a key nobody knows. Never freed: it lives as long
 * as the process. */
int hp_spec_read(struct hp_spec *, int fd) HP_MUST_CHECK;

/* ---- control.c: datagrams to and from the starter --------------------------- */
struct hp_command {
	enum { HP_NOTHING, HP_SIGNAL, HP_KILL, HP_RESIZE } kind;
	int number;
	unsigned short rows, columns;
};

void hp_control_open(int fd);
int hp_control_fd(void);
/* Records what the job is protected by: detail NULL or a word without blanks. */
void hp_protection(const char *name, bool granted, const char *detail);
void hp_control_send_protections(void);
void hp_control_send_tty(int master);
void hp_control_send(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* false: the starter is gone. */
bool hp_control_receive(struct hp_command *);
/* Reports `failed <errno> <stage>` and ends this process. */
_Noreturn void hp_die(int error, const char *stage);

/* ---- cgroup.c: bounds on memory and processes, where handed over ------------ */
struct hp_cgroup {
	int join[2];      /* cgroup.procs of the job's own groups, or -1 */
	char made[2][4160]; /* to be removed at the end, or "" */
	bool memory, processes;
};

void hp_cgroup_create(struct hp_cgroup *, uint64_t memory_bytes, uint64_t max_processes);
/* Moves the calling process in. 0 or -errno. */
int hp_cgroup_join(const struct hp_cgroup *) HP_MUST_CHECK;
void hp_cgroup_destroy(struct hp_cgroup *);

/* ---- what PID 1 starts from ---------------------------------------------------- */
struct hp_init {
	const struct hp_spec *spec;
	const struct hp_cgroup *cgroup;
	int root; /* detached tree of the mirror */
	uint64_t mirror_bytes;
	int starter; /* pidfd, or -1 */
	int alive; /* end of file: the supervisor is gone */
	int hold[2]; /* see struct hp_faults, or -1 */
	uint64_t others; /* tasks outside the job that count against its RLIMIT_NPROC */
};

/* ---- mounts.c, proc.c: the job's file system --------------------------------- */
/* Attaches the mirror, fills in /proc /dev /sys /tmp, makes it this mount
 * namespace's only root. Dies on failure. */
void hp_mounts_build(const struct hp_init *);
void hp_proc_mount(void);
int hp_bind(const char *from, const char *to) HP_MUST_CHECK;
int hp_bind_read_only(const char *from, const char *to) HP_MUST_CHECK;
int hp_mount_point(const char *name, unsigned mode) HP_MUST_CHECK;

/* ---- confine.c, filter.c: what the job may ask of the kernel ------------------ */
/* After this the process has no capability and gains none. Dies on failure. */
void hp_confine(bool user_namespaces_closed);
bool hp_close_user_namespaces(void);
/* From now on the process and its children can signal only each other, where the kernel knows
 * how: the job neither PID 1 nor its tracers. 0 or -errno. */
int hp_signal_only_each_other(void);
/* 0 or -errno. clone3 hides its flags from a filter: ENOSYS unless allowed. */
int hp_filter_install(bool allow_clone3) HP_MUST_CHECK;

/* ---- summon.c: who asks to be traced (tracer.h) ---------------------------------- */
/* Where they ask, or -errno. */
int hp_summons_open(void) HP_MUST_CHECK;
void hp_summons_take(int place);

/* ---- watch.c: memory of all processes, where no cgroup bounds it --------------- */
struct hp_watch {
	int proc; /* a proc file system of our own, or -1: nothing to watch */
	uint64_t limit_bytes, mirror_bytes;
};

void hp_watch_open(struct hp_watch *, uint64_t limit_bytes, uint64_t mirror_bytes);
/* Milliseconds until it wants to look again, -1 never; *exceeded is set when
 * the job has more than its share. */
int hp_watch_look(const struct hp_watch *, bool *exceeded);

/* ---- job.c: the job's first process --------------------------------------------- */
struct hp_tty {
	int master, slave; /* -1: no terminal */
};

/* Its pid; *status becomes readable with a struct hp_exec_failure, or at end of
 * file once the loader runs. */
int hp_job_spawn(const struct hp_spec *, const struct hp_tty *, int *status) HP_MUST_CHECK;

struct hp_exec_failure {
	int error;
	char stage[240];
};

/* ---- checkpoint/dump.c: the keeper's other use ------------------------------------ */
int hp_dump_main(int argc, char **argv);
int hp_suspend_main(int argc, char **argv);
int hp_features_main(int argc, char **argv);

/* ---- init.c, world.c: PID 1 --------------------------------------------------- */
_Noreturn void hp_init_run(const struct hp_init *);
struct hp_restoring { /* the job from an image (checkpoint/) */
	int status; /* as hp_job_spawn's; -1: it begins */
	pid_t restorer; /* ends when all its memory is there */
};
/* Dies on failure; says by what the job is protected. */
void hp_world_build(const struct hp_init *, struct hp_tty *, struct hp_watch *, int *summons, struct hp_restoring *);

#endif
