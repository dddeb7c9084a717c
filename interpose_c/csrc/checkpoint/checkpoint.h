/* What the files of the dumper and the restorer say to each other.
 *
 * Both are parts of the keeper's executable, in processes of their own: the dumper is started by
 * the starter (`hpool-keeper dump`), the restorer is a child of PID 1. They trust neither the
 * memory of the job nor an image.
 */
#ifndef HPOOL_CHECKPOINT_H
#define HPOOL_CHECKPOINT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>
#include <unistd.h>

#include "hpool/sum.h"
#include "image.h"

#define HP_LOADER "/.hpool/loader"
#define HP_XSTATE_MOST 16384u
/* PID 1 keeps three O_PATH descriptors: what the job's streams are; a pidfd of its first process; the other
 * end of its terminal; a pidfd of who ends when all memory of a restored job is there. */
#define HP_KEPT_STDIO 100
#define HP_KEPT_FIRST 103
#define HP_KEPT_TERMINAL 104
#define HP_KEPT_RESTORER 105

/* ---- write.c ---------------------------------------------------------------------- */
struct hp_writer {
	int meta, pages, failed; /* failed: the first errno */
	uint8_t *buffer;
	size_t used;
	uint64_t records, sum, pages_end;
};

struct hp_part {
	const void *bytes;
	size_t length;
};

int hp_write_open(struct hp_writer *, int meta, int pages);
/* Fills in the record's head. */
void hp_write_record(struct hp_writer *, uint32_t kind, void *record, size_t fixed, const struct hp_part *,
		     unsigned count);
/* Where in `pages` so many bytes may go that begin at that address, or at 0 of an object. */
uint64_t hp_write_region(struct hp_writer *, uint64_t start, uint64_t bytes);
void hp_write_content(struct hp_writer *, const void *, size_t, uint64_t at);
void hp_write_flush(struct hp_writer *);
int hp_write_close(struct hp_writer *); /* 0 or -errno of whatever failed first */

/* ---- remote.c: calls made by a stopped task ------------------------------------------ */
struct hp_remote {
	pid_t tid;
	uint64_t syscall_at; /* a `syscall` instruction in its memory */
	uint64_t scratch;    /* HP_SCRATCH bytes of its own, or 0 */
	struct user_regs_struct regs; /* what it has when nothing is asked of it */
	bool has_regs;
	bool gently;   /* no single steps, which end with a SIGTRAP: it ignores that, or has such pending */
	uint64_t late; /* signals that came between and could not be blocked: hp_remote_let_go sends them on */
};
#define HP_SCRATCH 65536ul

/* All but SIGTRAP, by which a step ends: were it blocked, the kernel would take its handler away. */
#define HP_QUIET (~0ull & ~(1ull << 4))
#define HP_SILENT (~0ull) /* where there are no steps */
/* The result, or -errno; -ESRCH when the task is gone. Signals must be blocked. */
long hp_remote_call(struct hp_remote *, long nr, const uint64_t arg[6]);
#define HP_CALL_(r, nr, a, b, c, d, e, f, ...) \
	hp_remote_call(r, nr, \
		       (const uint64_t[6]){ (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), \
					    (uint64_t)(f) })
#define HP_ASK(r, ...) HP_CALL_(r, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
/* Before the task runs on by itself. */
void hp_remote_let_go(const struct hp_remote *, pid_t pid);
/* Waits for the next stop: its wait status, or -errno. */
int hp_remote_wait(pid_t tid);
int hp_remote_read(pid_t tid, uint64_t address, void *, size_t);
int hp_remote_write(pid_t tid, uint64_t address, const void *, size_t);
/* The first `syscall` instruction in [start, end), or 0. */
uint64_t hp_remote_find_syscall(pid_t tid, uint64_t start, uint64_t end);
/* Like the call with the task's answer copied back from its scratch. */
long hp_remote_ask_bytes(struct hp_remote *, long nr, const uint64_t arg[6], void *, size_t);

/* ---- proc.c: what /proc says ------------------------------------------------------------- */
/* Directory of a proc file system of the job's PID namespace. */
extern int hp_proc;
int hp_proc_mount_own(void); /* 0 or -errno */
/* NUL-terminated text of `pid`/name; the caller frees. NULL: errno. */
char *hp_proc_text(pid_t pid, const char *name, size_t *length);
/* The number behind "Name:", in that base. */
bool hp_proc_number(const char *text, const char *name, int base, uint64_t *value);
/* Numbers among the names of `path`, sorted; the caller frees. -errno. */
int hp_proc_list(const char *path, pid_t **numbers);
struct hp_stat {
	char state;
	int32_t ppid, pgid, sid, tty_nr, tty_foreground, exit_signal;
	int64_t nice;
	uint64_t field[53]; /* by its number in proc(5) */
};
int hp_proc_stat(pid_t pid, pid_t tid, struct hp_stat *);

/* ---- directory.c -------------------------------------------------------------------------------- */
/* How many lie before that position; 0: none does, or that cannot be told. */
uint64_t hp_directory_entries(int fd, int64_t position);
/* False: there are fewer. */
bool hp_directory_seek(int fd, uint64_t entries);

/* ---- hush.c -------------------------------------------------------------------------------------- */
/* Takes away what an inotify descriptor has heard. Nobody else reads it, the job stands still. */
void hp_hush(int fd);

/* ---- dump_names.c -------------------------------------------------------------------------------- */
/* Which of the scratch directories has this name, or NULL. */
const char *hp_scratch_of(const char *path);

/* ---- refuse.c ------------------------------------------------------------------------------ */
/* Why it cannot be: a sentence, told once. Always false, so that it can be returned. */
bool hp_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *hp_refusal(void);
void hp_refusal_forget(void); /* it was of something that need not be */

#endif
