/* Rules a traced program sets for itself: seccomp, Syscall User Dispatch.
 *
 * The kernel does not get them, since they would hit the shim's own calls; the
 * tracer keeps and applies them (keeper/rules.c). What it decides against a call
 * is carried out here, in the task, by the task's own signals.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "hpool/tracer.h"
#include "signals.h"

#define SYS_SECCOMP 1
#define SYS_USER_DISPATCH 2
#define KNOWN_FLAGS \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
	 SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

struct blamed { /* siginfo of SIGSYS, after the common part */
	uint64_t address;
	int32_t nr;
	uint32_t arch;
};

/* As the kernel kills: no handler, no mask, a core if there may be one. */
static void die_of_sigsys(void)
{
	struct hp_sigaction fatal = { .handler = HP_SIG_DFL };
	uint64_t only = HP_SIG_BIT(SIGSYS);

	hp_syscall4(__NR_rt_sigaction, SIGSYS, (long)&fatal, 0, 8);
	hp_syscall4(__NR_rt_sigprocmask, SIG_UNBLOCK, (long)&only, 0, 8);
	hp_syscall2(__NR_tkill, hp_syscall0(__NR_gettid), SIGSYS);
}

/* A handler cannot be put off: where there is none, or it is blocked, the kernel kills. */
static long blame(struct hp_call *call, int code, int data)
{
	struct hp_siginfo info = { .signo = SIGSYS, .error = data, .code = code };
	struct blamed *blamed = (struct blamed *)info.rest;
	uint64_t mask = 0;

	blamed->address = (uint64_t)hp_trace_call(HP_TRACE_ADDRESS, 0, 0, 0, 0);
	blamed->nr = (int32_t)call->nr;
	blamed->arch = AUDIT_ARCH_X86_64;
	hp_syscall4(__NR_rt_sigprocmask, SIG_BLOCK, 0, (long)&mask, 8);
	if (mask & HP_SIG_BIT(SIGSYS) || hp_thread()->actions->of[SIGSYS - 1].handler <= HP_SIG_IGN)
		die_of_sigsys();
	hp_syscall4(__NR_rt_tgsigqueueinfo, hp_syscall0(__NR_getpid), hp_syscall0(__NR_gettid), SIGSYS, (long)&info);
	return call->nr; /* the handler finds the number where it was */
}

long hp_call_verdict(struct hp_call *call)
{
	long verdict = hp_trace_call(HP_TRACE_VERDICT, 0, 0, 0, 0);

	call->nr = hp_trace_call(HP_TRACE_NUMBER, 0, 0, 0, 0);
	((struct hp_frame *)call)->regs.nr = (uint64_t)call->nr;
	if (verdict == HP_VERDICT_DISPATCHED)
		return blame(call, SYS_USER_DISPATCH, 0);
	if (verdict < 0)
		return -ENOSYS; /* the tracer knows of no such thing */
	if (((uint32_t)verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRAP)
		return blame(call, SYS_SECCOMP, verdict & SECCOMP_RET_DATA);
	if (((uint32_t)verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_KILL_THREAD && !hp_alone()) {
		call->arg[0] = SIGSYS;
		return hp_call_exit(call);
	}
	die_of_sigsys();
	return -ENOSYS;
}

/* ---- setting them ------------------------------------------------------------------ */

/* The tracer reads the program's memory, which a process may have closed to others. */
static long tell_rules(long program, long flags)
{
	bool secretive = hp_syscall5(__NR_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) != 1;
	long answer;

	if (secretive)
		hp_syscall5(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
	answer = hp_trace_call(HP_TRACE_RULES, program, flags, 0, 0);
	if (secretive)
		hp_syscall5(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	return answer;
}

static long set_rules(struct hp_call *call, unsigned operation, unsigned long flags, long program)
{
	long answer;

	if (operation == SECCOMP_SET_MODE_STRICT) {
		if (flags || program)
			return -EINVAL;
		answer = hp_trace_call(HP_TRACE_STRICT, 0, 0, 0, 0);
	} else {
		if (flags & ~(unsigned long)KNOWN_FLAGS) {
			hp_report_refused(call, EINVAL); /* a listener in the program: the tracer waits for nobody */
			return -EINVAL;
		}
		answer = tell_rules(program, (long)flags);
	}
	if (answer == 1) /* rules are new here: from now on every call has to stop */
		answer = hp_trace_everything((long)(flags & SECCOMP_FILTER_FLAG_TSYNC));
	return answer;
}

/* Where the tracer cannot be had, filters stay the kernel's affair: a call that is
 * passed through meets them as it would at home. The shim itself then needs
 * rt_sigreturn, rt_sigprocmask, and futex to ask the starter. */
static long rules(struct hp_call *call, unsigned operation, unsigned long flags, long program)
{
	long failed = hp_take_over();

	if (failed == HP_AGAIN)
		return failed;
	if (failed) {
		hp_thread()->actions->filtered = 1;
		return HP_PASS;
	}
	return set_rules(call, operation, flags, program);
}

long hp_call_seccomp(struct hp_call *call)
{
	if ((unsigned)call->arg[0] > SECCOMP_SET_MODE_FILTER)
		return HP_PASS; /* a question */
	return rules(call, (unsigned)call->arg[0], (unsigned)call->arg[1], call->arg[2]);
}

long hp_own_seccomp(struct hp_call *call)
{
	if (call->arg[1] == SECCOMP_MODE_STRICT)
		return rules(call, SECCOMP_SET_MODE_STRICT, 0, 0);
	if (call->arg[1] == SECCOMP_MODE_FILTER)
		return rules(call, SECCOMP_SET_MODE_FILTER, 0, call->arg[2]);
	return -EINVAL;
}

long hp_own_dispatch(struct hp_call *call)
{
	long failed = hp_take_over(), answer;

	if (!failed) {
		answer = hp_trace_call(HP_TRACE_DISPATCH, call->arg[1], call->arg[2], call->arg[3], call->arg[4]);
		return answer == 1 ? hp_trace_everything(0) : answer;
	}
	if (failed == HP_AGAIN)
		return failed;
	hp_report_refused(call, EINVAL);
	return -EINVAL; /* as a kernel without the feature */
}
