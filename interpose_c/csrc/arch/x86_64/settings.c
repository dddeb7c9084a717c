/* Settings of a task that could switch the shim off: prctl, arch_prctl, seccomp. */
#include <asm/prctl.h>

#include "hpool/arch.h"

#define PR_SET_SYSCALL_USER_DISPATCH 59

/* As a kernel without the feature answers. */
long hp_call_prctl(struct hp_call *call)
{
	return (int)call->arg[0] == PR_SET_SYSCALL_USER_DISPATCH ? -EINVAL : HP_PASS;
}

/* %gs leads to the thread block. */
long hp_call_arch_prctl(struct hp_call *call)
{
	unsigned long none = 0;

	if ((int)call->arg[0] == ARCH_GET_GS)
		return hp_user_write((void *)call->arg[1], &none, sizeof none);
	if ((int)call->arg[0] != ARCH_SET_GS)
		return HP_PASS;
	hp_report_refused(call, EPERM);
	return -EPERM;
}

/* Filters stay the program's own affair: a passed-through call meets them as it
 * would at home. The shim itself then needs rt_sigreturn, rt_sigprocmask, and
 * futex to ask the starter; a filter that forbids those ends the program. */
long hp_call_seccomp(struct hp_call *call)
{
	(void)call;
	return HP_PASS;
}
