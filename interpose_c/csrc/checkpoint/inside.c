/* Threads that stand in a handler of the shim's, and their way out.
 *
 * A handler may have inodes and file numbers of this mirror in registers and on its stack, or a question under
 * way: none of it means anything in another mirror. Everything else of the shim is on the program's
 * stack and knows no such thing. So whoever is inside goes on alone, the others standing still,
 * until it has left; home may have to answer it first.
 */
#include "dump.h"
#include "home.h"

#include <sys/ptrace.h>

/* In front of the thread block: the handlers' stack, then that of signal frames (arch/x86_64/README.md). */
#define STACKS_BYTES ((128u + 32u) << 10)

bool hp_is_inside(const struct hp_task *task)
{
	struct user_regs_struct regs;
	if (!hp_home_is_there() || ptrace(PTRACE_GETREGS, task->tid, NULL, &regs))
		return false;
	return regs.rsp < regs.gs_base && regs.rsp >= regs.gs_base - STACKS_BYTES;
}
