/* rt_sigaction: the kernel gets the shim's handler, the program keeps its own
 * in struct hp_actions and sees nothing else. */
#include "signals.h"

static long tell_kernel(int sig, const struct hp_sigaction *new, struct hp_sigaction *old)
{
	struct hp_sigaction plain = *new;

	if (new->handler > HP_SIG_IGN && (sig != SIGSYS || hp_traced))
		return hp_signal_take(sig, new->flags, old);
	if (hp_always_handled(sig) || (new->handler == HP_SIG_DFL && hp_handled_by_default(sig)))
		return hp_signal_take(sig, SA_ONSTACK, old);
	plain.mask &= HP_EVERYTHING;
	return hp_syscall4(__NR_rt_sigaction, sig, (long)&plain, (long)old, 8);
}

static long change(struct hp_actions *actions, int sig, const struct hp_sigaction *new, struct hp_sigaction *old)
{
	struct hp_sigaction before = actions->of[sig - 1], kernel;
	long failed;

	if (new->handler > HP_SIG_IGN) {
		/* known before the kernel can call it */
		actions->last_handler[sig - 1] = new->handler;
		actions->of[sig - 1] = *new;
	}
	failed = tell_kernel(sig, new, &kernel);
	actions->of[sig - 1] = failed ? before : *new;
	*old = actions->known & HP_SIG_BIT(sig) ? before : kernel;
	if (!failed)
		actions->known |= HP_SIG_BIT(sig);
	return failed;
}

long hp_call_rt_sigaction(struct hp_call *call)
{
	struct hp_actions *actions = hp_thread()->actions;
	struct hp_sigaction new, old;
	int sig = (int)call->arg[0];
	long result = 0;

	if (call->arg[3] != 8 || sig < 1 || sig > HP_SIGNALS || sig == SIGKILL || sig == SIGSTOP)
		return HP_PASS;
	if (call->arg[1] && hp_user_read(&new, (const void *)call->arg[1], sizeof new))
		return -EFAULT;
	new.mask &= ~(HP_SIG_BIT(SIGKILL) | HP_SIG_BIT(SIGSTOP));
	hp_lock(&actions->lock);
	if (call->arg[1]) {
		result = change(actions, sig, &new, &old);
	} else {
		result = hp_syscall4(__NR_rt_sigaction, sig, 0, (long)&old, 8);
		if (actions->known & HP_SIG_BIT(sig))
			old = actions->of[sig - 1];
	}
	hp_unlock(&actions->lock);
	if (result == 0 && call->arg[2])
		result = hp_user_write((void *)call->arg[2], &old, sizeof old);
	return result;
}

/* What CLONE_CLEAR_SIGHAND does: handlers go, what is ignored stays so. */
void hp_actions_clear(struct hp_actions *actions)
{
	struct hp_sigaction none = { .handler = HP_SIG_DFL }, old;

	for (int sig = 1; sig <= HP_SIGNALS; sig++) {
		if (actions->known & HP_SIG_BIT(sig) && actions->of[sig - 1].handler > HP_SIG_IGN)
			change(actions, sig, &none, &old);
	}
}

/* Before an exec: what is ignored stays ignored, though the kernel believes it handled. */
void hp_actions_before_exec(const struct hp_actions *actions)
{
	static const int kept[] = { SIGSEGV, SIGBUS, SIGSYS };

	for (unsigned i = 0; i < sizeof kept / sizeof *kept; i++)
		if (actions->of[kept[i] - 1].handler == HP_SIG_IGN) {
			struct hp_sigaction ignore = { .handler = HP_SIG_IGN };

			hp_syscall4(__NR_rt_sigaction, kept[i], (long)&ignore, 0, 8);
		}
}

void hp_actions_after_failed_exec(const struct hp_actions *actions)
{
	static const int kept[] = { SIGSEGV, SIGBUS, SIGSYS };

	for (unsigned i = 0; i < sizeof kept / sizeof *kept; i++)
		if (actions->of[kept[i] - 1].handler == HP_SIG_IGN && hp_always_handled(kept[i]))
			hp_signal_take(kept[i], SA_ONSTACK, NULL);
}
