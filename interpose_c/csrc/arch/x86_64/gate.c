/* Calls that would do harm while memory of the process is still missing: they wait until all of it is there.
 *
 * The kernel tells who fills memory of what is unmapped or emptied meanwhile, and of nothing else that is done to
 * it without privilege: a forked child would find zeros, memory that is moved would lose its filler, a guard page
 * would be filled over. And memory that another process looks into by ptrace or /proc is an error there, nobody
 * waits.
 *
 * Owns: the page, calls that do nothing but wait. Leaves to others: filling it (checkpoint/lazy.c), handlers that
 * wait besides.
 */
#include "hpool/arch.h"
#include "hpool/gate.h"

#define MADV_GUARD_INSTALL 102

__attribute__((aligned(HP_PAGE))) static volatile unsigned char page[HP_PAGE];

/* Nobody in here refers to it. */
__attribute__((used, retain, aligned(8))) const struct hp_gate hp_gate = { .magic = HP_GATE_MAGIC, .page = page };

void hp_gate_pass(void)
{
	(void)page[0];
}

long hp_call_madvise(struct hp_call *call)
{
	if ((int)call->arg[2] == MADV_GUARD_INSTALL)
		hp_gate_pass();
	return HP_PASS;
}

long hp_call_process_madvise(struct hp_call *call)
{
	if ((int)call->arg[3] == MADV_GUARD_INSTALL)
		hp_gate_pass();
	return HP_PASS;
}
