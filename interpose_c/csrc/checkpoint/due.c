/* Signals that no mask of ours holds back: a stopped task would be given them instead of making a call for us.
 *
 * SIGSTOP cannot be blocked. And as a step ends with SIGTRAP, which is not blocked, the kernel looks for whichever
 * such signal lies longest in the task's own queue, blocked or not (dequeue_synchronous_signal).
 * So freeze.c lets a task first have what is on its way to it: SIGSYS of a call that the shim is to see, a stop.
 * Who keeps others pending makes calls without steps (remote.c).
 */
#include "dump.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#define BY_DISPATCH 2 /* si_code SYS_USER_DISPATCH, kernel's entry/syscall_user_dispatch.c */
#define CALL_BYTES 2u /* of syscall, and of int $0x80 */

#define AT_ONCE 32
#define BIT(number) (1ull << ((number) - 1))
#define BY_INSTRUCTION (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGFPE) | BIT(SIGSYS))

struct hp_due hp_due(pid_t tid)
{
	siginfo_t infos[AT_ONCE];
	struct hp_due due = { 0 };
	uint64_t blocked = 0;
	(void)ptrace(PTRACE_GETSIGMASK, tid, sizeof blocked, &blocked);
	for (int shared = 0; shared < 2; shared++) {
		struct __ptrace_peeksiginfo_args what = { .off = 0, .flags = (uint32_t)shared, .nr = AT_ONCE };
		long count;
		while ((count = ptrace(PTRACE_PEEKSIGINFO, tid, &what, infos)) > 0) {
			what.off += (uint64_t)count;
			due.any = true;
			for (long n = 0; n < count; n++) {
				uint64_t bit = BIT(infos[n].si_signo);
				due.comes |= infos[n].si_signo == SIGSTOP || (bit & BY_INSTRUCTION & ~blocked);
				due.waits |= (bit & BY_INSTRUCTION & blocked) != 0;
			}
		}
	}
	return due;
}

/* Who makes one such call after the other would be met in the handler each time. */
bool hp_take_back(pid_t tid)
{
	struct user_regs_struct regs;
	siginfo_t info;
	if (ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) || info.si_signo != SIGSYS || info.si_code != BY_DISPATCH ||
	    ptrace(PTRACE_GETREGS, tid, NULL, &regs) || regs.rip != (uintptr_t)info.si_call_addr)
		return false;
	regs.rip -= CALL_BYTES;
	regs.orig_rax = ~0ull; /* there is no call to be made again by the kernel */
	return ptrace(PTRACE_SETREGS, tid, NULL, &regs) == 0;
}

/* Calls that never begin again by themselves (signal(7)), while they wait without a limit. With one it is
 * not known how much of it is left, and who calls so is used to being interrupted. */
static bool waits_without_limit(const struct user_regs_struct *regs)
{
	switch (regs->orig_rax) {
	case SYS_semop:
		return true;
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return (int32_t)regs->r10 < 0;
	case SYS_semtimedop:
	case SYS_epoll_pwait2:
		return regs->r10 == 0;
	case SYS_rt_sigtimedwait:
		return regs->rdx == 0;
	default:
		return false;
	}
}

void hp_call_again(pid_t tid)
{
	struct user_regs_struct regs;
	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) || (long)regs.orig_rax < 0 || (long)regs.rax != -EINTR ||
	    !waits_without_limit(&regs))
		return;
	regs.rax = regs.orig_rax;
	regs.orig_rax = ~0ull; /* there is no call to be made again by the kernel */
	regs.rip -= CALL_BYTES;
	(void)ptrace(PTRACE_SETREGS, tid, NULL, &regs);
}
