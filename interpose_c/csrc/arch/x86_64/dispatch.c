/* Syscall User Dispatch: SIGSYS for each call outside of the shim's text.
 *
 * The handler emulates nothing. It looks where the call goes, perhaps rewrites
 * the site (rewrite.c), and points the context at the entry, so that the call
 * is handled in normal context once the kernel has left the signal frame.
 */
#include <linux/audit.h>

#include "signals.h"

#define SYS_USER_DISPATCH 2
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0

struct dispatched { /* siginfo of SIGSYS, after the common part */
	uint64_t call_address;
	int32_t nr;
	uint32_t arch;
};

unsigned long hp_entry_of(unsigned long nr)
{
	if (nr >= hp_handler_count)
		return (unsigned long)hp_entry_any;
	return (unsigned long)(hp_handlers[nr] ? hp_entry_handled : hp_entry_native);
}

bool hp_sigsys(int sig, const struct hp_siginfo *info, struct ucontext *context)
{
	struct sigcontext *regs = &context->uc_mcontext;
	const struct dispatched *what = (const struct dispatched *)info->rest;
	unsigned long nr = regs->rax;

	(void)sig;
	if (info->code != SYS_USER_DISPATCH)
		return true;
	if (what->arch != AUDIT_ARCH_X86_64) {
		/* int $0x80: made again as it was, natively. It changes rax alone, so no register carries the way back */
		hp_thread()->return_to = regs->rip;
		regs->rip = (unsigned long)hp_entry_int80;
		return false;
	}
	if (nr == __NR_rt_sigreturn) {
		/* made by the shim with everything blocked, so that between what is set here and what the kernel sets
		 * from the frame no handler runs */
		hp_sigreturn_settle(hp_thread(), regs->rsp);
		regs->rip = (unsigned long)hp_restorer_call;
		context->uc_sigmask = HP_EVERYTHING;
		return false;
	}
	regs->rcx = hp_site_hit(regs->rip - 2, nr);
	regs->rip = hp_entry_of(nr);
	return false;
}

long hp_signal_take(int sig, unsigned long flags, struct hp_sigaction *old)
{
	struct hp_sigaction ours = {
		.handler = (unsigned long)(sig == SIGSYS && !hp_traced ? hp_sigsys_entry : hp_signal_entry),
		.flags = (flags & ~(unsigned long)SA_RESETHAND) | SA_SIGINFO | HP_SA_RESTORER,
		.restorer = (unsigned long)hp_restorer,
		.mask = HP_EVERYTHING,
	};

	return hp_syscall4(__NR_rt_sigaction, sig, (long)&ours, (long)old, 8);
}

void hp_dispatch_start(void)
{
	static const int taken[] = { SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP };

	for (unsigned i = hp_traced; i < sizeof taken / sizeof *taken; i++) {
		int sig = taken[i];
		struct hp_sigaction *action = &hp_main_actions.of[sig - 1];

		if (!hp_always_handled(sig) &&
		    (hp_syscall4(__NR_rt_sigaction, sig, 0, (long)action, 8) || action->handler != HP_SIG_DFL))
			continue; /* ignored from before the exec: the kernel's affair */
		hp_signal_take(sig, SA_ONSTACK, action);
		hp_main_actions.known |= HP_SIG_BIT(sig);
	}
}

/* Traced from now on: SIGSYS is the program's like any other signal. */
void hp_dispatch_over(void)
{
	struct hp_actions *actions = hp_thread()->actions;
	const struct hp_sigaction *own = &actions->of[SIGSYS - 1];

	hp_syscall5(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0);
	if (!(actions->known & HP_SIG_BIT(SIGSYS)))
		return;
	if (own->handler > HP_SIG_IGN)
		hp_signal_take(SIGSYS, own->flags, NULL);
	else
		hp_syscall4(__NR_rt_sigaction, SIGSYS, (long)own, 0, 8);
}
