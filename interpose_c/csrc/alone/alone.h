/* A relinked program that checkpoints itself (`--hpool-checkpoint-to FILE`), with nothing of hpool around it.
 *
 * All of it is one section of the program's text, which can be copied elsewhere as it is: position
 * independent, no libc, no data but one pointer (hp_alone_here). Without the option only hp_alone_entry
 * runs, a few comparisons before the program's own start. The file's format is in IMAGE.md.
 */
#ifndef HPOOL_ALONE_H
#define HPOOL_ALONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/unistd.h>

#include "hpool/sum.h"

#define HP_ALONE_MAGIC 0x6e776f6c6f6f7068ull /* "hpoolown" */
#define HP_ALONE_VERSION 1u
#define HP_ALONE_HEAD 8192
#define HP_ALONE_THREADS 1024
#define HP_ALONE_VMAS 4096
#define HP_ALONE_RUNS 65536
#define HP_ALONE_FDS 1024
#define HP_ALONE_STRINGS (1u << 20)
#define HP_ALONE_TEXT (2u << 20)
#define HP_ALONE_PIECE (256u << 10)
#define HP_PAGE 4096ull

enum { HP_A_ANONYMOUS, HP_A_FILE, HP_A_SHARED_FILE, HP_A_SHARED, HP_A_VDSO };
enum { HP_A_PATH, HP_A_STDIO, HP_A_DUP };

struct hp_jump {
	uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
};

struct hp_alone_thread {
	struct hp_jump jump;
	uint64_t fs, gs, robust, robust_bytes, clear_tid, rseq, pending;
	int32_t tid;
	uint32_t ready;
	char name[16];
};

struct hp_alone_vma {
	uint64_t start, end, offset, size;
	int64_t mtime_s, mtime_ns;
	uint32_t prot, kind, grows, path;
};

struct hp_alone_run {
	uint64_t address, bytes, at;
};

struct hp_alone_fd {
	int32_t fd, of; /* STDIO, DUP: the number it is the same as */
	uint32_t kind, flags, path, is_file;
	uint64_t position, device, inode;
};

struct hp_alone_mm { /* struct prctl_mm_map */
	uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end, auxv;
	uint32_t auxv_bytes, exe_fd;
};

struct hp_alone_head {
	uint64_t magic;
	uint32_t version, pid;
	uint64_t total, sum, features, vdso_sum; /* sum: of all behind the head */
	uint64_t tables_at, tables_bytes;
	uint32_t vmas, runs, fds, threads, string_bytes, leader, umask, exe, directory, pad;
	uint64_t state; /* where struct hp_alone lies */
	struct hp_alone_mm mm;
	uint64_t timers[3][4];
	uint64_t actions[64][4];
	uint64_t auxv[64];
	uint64_t head_sum; /* of all before it */
};

struct hp_alone {
	uint32_t going, generation, phase, left;
	uint32_t count; /* threads that have come; HP_ALONE_CLOSED: nobody more is let in */
	int32_t pid, signal;
	uint64_t scratch, scratch_bytes; /* of a restart: to be given back */
	uint8_t *piece;                   /* HP_ALONE_PIECE, not in the image */
	char path[4096], aside[4096 + 32], why[600];
	struct hp_alone_head head;
	struct hp_alone_thread threads[HP_ALONE_THREADS];
	int32_t asked[HP_ALONE_THREADS];
	struct hp_alone_vma vmas[HP_ALONE_VMAS];
	struct hp_alone_run runs[HP_ALONE_RUNS];
	struct hp_alone_fd fds[HP_ALONE_FDS];
	uint64_t pagemap[512];
	char strings[HP_ALONE_STRINGS];
	char text[HP_ALONE_TEXT];
};
#define HP_ALONE_CLOSED 0x80000000u
_Static_assert(sizeof(struct hp_alone_head) <= HP_ALONE_HEAD, "the head has its room");

/* ---- entry.S ------------------------------------------------------------------------------------------ */
long hp_alone_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
#define HP_A_(nr, a, b, c, d, e, f, ...) \
	hp_alone_call(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), (uint64_t)(f))
#define SYS(nr, ...) HP_A_(__NR_##nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
int hp_alone_mark(struct hp_jump *) __attribute__((returns_twice)); /* 0; 1 when gone on from */
_Noreturn void hp_alone_jump(const struct hp_jump *);
_Noreturn void hp_alone_on(void *argument, void (*function)(void *), void *stack);
long hp_alone_thread(void *clone_args, uint64_t bytes, void (*function)(void *), void *argument);
void hp_alone_restorer(void);
extern const char hp_alone_begin[], hp_alone_end[];

/* ---- text.c -------------------------------------------------------------------------------------------- */
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
size_t hp_a_length(const char *);
bool hp_a_same(const char *, const char *);
/* What follows the prefix, or NULL. */
const char *hp_a_after(const char *text, const char *prefix);
bool hp_a_ends(const char *text, const char *tail);
uint64_t hp_a_number(const char **text, unsigned base);
/* Appends; always ends with NUL. Formats %s, %d. */
void hp_a_format(char *to, size_t room, const char *format, const char *text, long number);
void hp_a_say(const char *text); /* a line of ours, on stderr */
/* All of a file of /proc, NUL-terminated; its length, or -errno. */
long hp_a_read(const char *path, char *to, size_t room);
/* The directory's names that are numbers, in any order; how many, or -errno. */
long hp_a_numbers(const char *path, int32_t *numbers, unsigned room);
long hp_a_write(int fd, const void *data, uint64_t bytes, uint64_t at);

/* ---- stop.c, look.c, write.c, restart.c, again.c ------------------------------------------------------- */
bool hp_a_refuse(struct hp_alone *, const char *format, const char *text, long number); /* false */
bool hp_a_stop(struct hp_alone *);
uint64_t hp_a_let_rseq_go(uint64_t fs); /* where it was; 0: nowhere */
void hp_a_handler(int number, void *info, void *context);
bool hp_a_look(struct hp_alone *);
uint32_t hp_a_keep(struct hp_alone *, const char *text); /* its place among the strings; 0: no room */
uint64_t hp_a_vdso(const struct hp_alone_vma *vmas, unsigned count, uint64_t *start, uint64_t *end);
unsigned hp_a_maps(char *text, struct hp_alone_vma *vmas, unsigned room, const char **paths, uint64_t *inodes);
uint64_t hp_a_features(void);
bool hp_a_write_image(struct hp_alone *);
_Noreturn void hp_a_restart(const char *path);

struct hp_again { /* at the beginning of the scratch of a restart */
	struct hp_alone_head head;
	const struct hp_alone_thread *threads;
	const struct hp_alone_vma *vmas;
	const struct hp_alone_run *runs;
	const struct hp_alone_fd *fds;
	const char *strings;
	uint64_t scratch, scratch_bytes, parking; /* where the vdso waits */
	char *stacks;                              /* 4 KiB for each thread */
	int image;
	bool has_own_rights; /* of a user namespace: to be given back */
	uint64_t pending;                            /* of the process as a whole */
	uint32_t now_count;
	struct hp_alone_vma now[HP_ALONE_VMAS]; /* what is mapped here */
};
void hp_a_again(void *again);

#endif
