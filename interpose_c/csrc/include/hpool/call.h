/* One intercepted system call, as handlers see it. */
#ifndef HPOOL_CALL_H
#define HPOOL_CALL_H

#include <stdint.h>

/* The caller's registers, saved by the entry (arch/x86_64/entry.S). */
struct hp_regs;

struct hp_call {
	long nr;
	long arg[6];
	struct hp_regs *regs;
};

/* Returns what the caller gets in rax: a value or -errno; or HP_PASS. Runs on
 * the shim's own stack, in the caller's context, never as a signal handler. */
typedef long (*hp_handler)(struct hp_call *);

/* Not a value the kernel returns: the entry then issues the caller's call
 * unchanged, on the caller's own stack and registers, as if there had been no
 * handler. What may block or be interrupted goes this way. */
#define HP_PASS (-0x7fffffffffff0001L)

/* NULL: the call is passed through on the caller's own stack and registers. */
extern const hp_handler hp_handlers[];
extern const unsigned hp_handler_count;
/* The table's third column, "fd path flags". */
extern const char hp_argument_kinds[][40];

#endif
