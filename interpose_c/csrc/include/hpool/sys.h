/* What a freestanding handler has instead of libc: the kernel's calls without
 * errno, memory and text helpers, and the arch layer's services.
 *
 * Everything here runs in the shim's own text, which Syscall User Dispatch
 * leaves alone: a call made with hp_syscallN goes straight to the kernel. A
 * signal of the program's never runs inside a handler: it is deferred to the
 * handler's end (arch/x86_64/deliver.c). So a call that may *sleep* on the
 * program's behalf must not be made with hp_syscallN; three ways are right:
 *  - return HP_PASS: the kernel does the caller's call as it was made,
 *  - return HP_TAIL: the same with call->nr and call->arg[] as the handler left
 *    them (memory they point to may be on the shim's stack),
 *  - hp_syscall_interruptible(): when a signal comes, it returns HP_RESTART,
 *    which the handler returns after it has put things in order.
 */
#ifndef HPOOL_SYS_H
#define HPOOL_SYS_H

#include <asm/unistd.h>
#include <linux/errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hpool/call.h"
#include "hpool/shm.h"

/* More answers of a handler, next to HP_PASS (call.h). */
#define HP_TAIL (HP_PASS - 1)    /* pass on call->nr, call->arg[]; the caller's registers come back afterwards */
#define HP_RESTART (HP_PASS - 2) /* interrupted: again if the signal has SA_RESTART, else EINTR */
#define HP_AGAIN (HP_PASS - 3)   /* interrupted before anything happened: again, whatever the signal's flags */

static inline long hp_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long hp_syscall5(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long hp_syscall4(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return result;
}

static inline long hp_syscall3(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static inline long hp_syscall2(long nr, long a, long b)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return result;
}

static inline long hp_syscall1(long nr, long a)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a) : "rcx", "r11", "memory");
	return result;
}

static inline long hp_syscall0(long nr)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr) : "rcx", "r11", "memory");
	return result;
}

/* For a call that may sleep. HP_RESTART at once when a signal already waits. */
long hp_syscall_interruptible(long nr, long a, long b, long c, long d, long e, long f);

/* ---- memory and text (arch/x86_64/memory.S) ---- */
void *memcpy(void *to, const void *from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);
/* -ffreestanding makes calls of these even for four bytes; the builtins are moves then. */
#define memcpy(to, from, length) __builtin_memcpy(to, from, length)
#define memmove(to, from, length) __builtin_memmove(to, from, length)
#define memset(to, byte, length) __builtin_memset(to, byte, length)
#define memcmp(a, b, length) __builtin_memcmp(a, b, length)

/* The program's memory: -EFAULT instead of a fault, without a system call. (If
 * the program has SIGSEGV blocked, a bad pointer kills it as a fault would.) */
long hp_user_read(void *to, const void *user, size_t length);
long hp_user_write(void *user, const void *from, size_t length);
/* Length without the NUL; -ENAMETOOLONG when there is none in `room` bytes. */
long hp_user_text(char *to, const char *user, size_t room);

/* ---- where we are ---- */
/* Does the range touch memory of the shim: its image, stacks, trampolines, the channel?
 * To be asked before every change of a mapping: the rewriting learns of it, too. */
int hp_is_shim_range(unsigned long address, unsigned long length);
/* Adds a mapping made by others to those ranges. */
void hp_shim_range_add(unsigned long address, unsigned long length);
/* The caller shares its memory with its parent (vfork, posix_spawn): what the
 * shim knows of the process is the parent's, not the caller's. */
int hp_in_vfork_child(void);
/* What /proc/self/exe names, as the job sees it; never NULL after the start. */
const char *hp_self_exe(void);
/* Eight words of the handlers' own in each thread, zero in a new thread; core/seen.c has them. */
unsigned long *hp_thread_words(void);

/* Handled calls of this thread since it was last asked. */
unsigned hp_thread_uncounted(void);

/* ---- hooks; front/hooks.c says what happens without them ---- */
/* Before an exec: makes (dirfd, path) usable and writes to `resolved` the
 * absolute path without symlinks. 0 or what execve should return. Called for
 * the program, each script's interpreter and the ELF interpreter. */
long hp_exec_prepare(const char *path, int dirfd, int flags, char *resolved, unsigned room);
/* In the loader: the program or its ELF interpreter, opened for reading. */
long hp_open_program(const char *path);
/* In the loader: does the opened program write %gs, as far as home knows? */
bool hp_program_takes_gs(int fd);
/* In a fork's child, before it goes on (not after vfork). */
void hp_after_fork(void);
/* Before this thread ends, begets or executes: its calls join the job's count. */
void hp_count_calls(void);

/* Returns when all memory of the job is there; at once, unless it was restored a moment ago (gate.c). */
void hp_gate_pass(void);
/* A call begins, and is over, while somebody watches. */
void hp_seen_begin(const struct hp_recorded *call);
void hp_seen_end(const struct hp_recorded *call, long result, bool passed);
/* Hands a piece of a crash on; false: nobody wants more of it. */
bool hp_crash_piece(enum hp_crash_piece piece, const void *bytes, uint32_t length);
/* A call was refused or degraded; told once per program and call. */
void hp_report_refused(const struct hp_call *call, int error);

#endif
