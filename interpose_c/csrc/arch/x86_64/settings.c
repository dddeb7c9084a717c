/* Settings of a task that concern the shim: prctl, arch_prctl, ptrace. What cannot be
 * served in process makes the process a traced one, if that can be had. */
#include <asm/prctl.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>

#include "hpool/arch.h"

#define PR_SET_SYSCALL_USER_DISPATCH 59
#define USER_END 0x7ffffffff000ul

long hp_call_prctl(struct hp_call *call)
{
	switch ((int)call->arg[0]) {
	case PR_SET_SYSCALL_USER_DISPATCH:
		return hp_own_dispatch(call);
	case PR_SET_SECCOMP:
		return hp_own_seccomp(call);
	default:
		return HP_PASS;
	}
}

static long set_gs(struct hp_call *call)
{
	long failed = hp_take_over();

	if (failed == HP_AGAIN)
		return failed;
	if (failed) {
		hp_report_refused(call, EPERM); /* in process %gs leads to the thread block */
		return -EPERM;
	}
	if ((unsigned long)call->arg[1] >= USER_END)
		return -EPERM;
	hp_thread()->program_gs = (uint64_t)call->arg[1];
	return 0;
}

long hp_call_arch_prctl(struct hp_call *call)
{
	unsigned long gs = hp_traced ? hp_thread()->program_gs : 0;

	switch ((int)call->arg[0]) {
	case ARCH_GET_GS:
		return hp_user_write((void *)call->arg[1], &gs, sizeof gs);
	case ARCH_SET_GS:
		return set_gs(call);
	default:
		return HP_PASS;
	}
}

/* A task has one tracer at most. */
long hp_call_ptrace(struct hp_call *call)
{
	long request = call->arg[0], result;

	hp_gate_pass(); /* of memory that still follows ptrace knows nothing, and does not wait */
	if (!hp_traced || (request != PTRACE_TRACEME && request != PTRACE_ATTACH && request != PTRACE_SEIZE))
		return HP_PASS;
	result = hp_syscall4(__NR_ptrace, request, call->arg[1], call->arg[2], call->arg[3]);
	if (result == -EPERM)
		hp_report_refused(call, EPERM);
	return result;
}
