/* Signal masks: SIGSYS is never blocked, since a blocked SIGSYS at a site that
 * is not rewritten kills the process. The program believes otherwise. */
#include "signals.h"

#define BIT (hp_traced ? 0 : HP_SIG_BIT(SIGSYS))

long hp_call_rt_sigprocmask(struct hp_call *call)
{
	struct hp_thread *thread = hp_thread();
	uint64_t asked = 0, new, old = 0;
	bool before = thread->sigsys_blocked;
	long result;

	if (call->arg[3] != 8)
		return HP_PASS;
	if (call->arg[1] && hp_user_read(&asked, (const void *)call->arg[1], sizeof asked))
		return -EFAULT;
	if (!(asked & BIT) && !before)
		return HP_PASS;
	new = asked & ~BIT;
	result = hp_syscall_interruptible(__NR_rt_sigprocmask, call->arg[0], call->arg[1] ? (long)&new : 0, (long)&old,
					  8, 0, 0);
	if (result)
		return result == HP_RESTART ? HP_AGAIN : result;
	if (call->arg[1]) {
		if ((int)call->arg[0] == SIG_SETMASK)
			hp_sigsys_believe(thread, asked & BIT);
		else if (asked & BIT)
			hp_sigsys_believe(thread, (int)call->arg[0] == SIG_BLOCK);
	}
	if (before)
		old |= BIT;
	return call->arg[2] ? hp_user_write((void *)call->arg[2], &old, sizeof old) : 0;
}

/* Calls that sleep under another mask are made with a copy without SIGSYS. It
 * is kept, since a handler that ends the sleep runs under it (deliver.c). */
static long sleep_with(struct hp_call *call, int argument, const void *user)
{
	struct hp_thread *thread = hp_thread();

	if (hp_user_read(&thread->suspend_mask, user, sizeof thread->suspend_mask))
		return -EFAULT;
	thread->suspend_mask &= ~BIT;
	call->arg[argument] = (long)&thread->suspend_mask;
	return HP_TAIL;
}

long hp_call_rt_sigsuspend(struct hp_call *call)
{
	return call->arg[1] == 8 ? sleep_with(call, 0, (const void *)call->arg[0]) : HP_PASS;
}

long hp_call_ppoll(struct hp_call *call)
{
	return call->arg[3] && call->arg[4] == 8 ? sleep_with(call, 3, (const void *)call->arg[3]) : HP_PASS;
}

long hp_call_epoll_pwait(struct hp_call *call)
{
	return call->arg[4] && call->arg[5] == 8 ? sleep_with(call, 4, (const void *)call->arg[4]) : HP_PASS;
}

long hp_call_epoll_pwait2(struct hp_call *call)
{
	return hp_call_epoll_pwait(call);
}

long hp_call_pselect6(struct hp_call *call)
{
	struct hp_thread *thread = hp_thread();
	long result;

	if (!call->arg[5])
		return HP_PASS;
	if (hp_user_read(thread->pselect_mask, (const void *)call->arg[5], sizeof thread->pselect_mask))
		return -EFAULT;
	if (!thread->pselect_mask[0] || thread->pselect_mask[1] != 8)
		return HP_PASS;
	result = sleep_with(call, 5, (const void *)thread->pselect_mask[0]);
	if (result != HP_TAIL)
		return result;
	thread->pselect_mask[0] = (uint64_t)&thread->suspend_mask;
	call->arg[5] = (long)thread->pselect_mask;
	return HP_TAIL;
}

/* SIGSYS in a signalfd's set never arrives there: nobody's kill goes that way. */
long hp_call_signalfd(struct hp_call *call)
{
	(void)call;
	return HP_PASS;
}

long hp_call_signalfd4(struct hp_call *call)
{
	(void)call;
	return HP_PASS;
}

/* One that came while the program believes SIGSYS blocked waits in the thread block. */
void hp_sigsys_believe(struct hp_thread *thread, bool blocked)
{
	thread->sigsys_blocked = blocked;
	if (blocked || !thread->sigsys_pending)
		return;
	thread->sigsys_pending = 0;
	hp_syscall4(__NR_rt_tgsigqueueinfo, hp_syscall0(__NR_getpid), hp_syscall0(__NR_gettid), SIGSYS,
		    (long)&thread->sigsys_info);
}

/* Over an exec the kernel keeps what is pending, if it is blocked. */
void hp_sigsys_keep(struct hp_thread *thread)
{
	uint64_t sigsys = HP_SIG_BIT(SIGSYS);

	hp_syscall4(__NR_rt_sigprocmask, SIG_BLOCK, (long)&sigsys, 0, 8);
	hp_syscall4(__NR_rt_tgsigqueueinfo, hp_syscall0(__NR_getpid), hp_syscall0(__NR_gettid), SIGSYS,
		    (long)&thread->sigsys_info);
}

void hp_sigsys_take(struct hp_thread *thread)
{
	static const uint64_t at_once[2];
	uint64_t sigsys = HP_SIG_BIT(SIGSYS);

	if (hp_syscall4(__NR_rt_sigtimedwait, (long)&sigsys, (long)&thread->sigsys_info, (long)at_once, 8) == SIGSYS)
		thread->sigsys_pending = 1;
	hp_syscall4(__NR_rt_sigprocmask, SIG_UNBLOCK, (long)&sigsys, 0, 8);
}

long hp_call_rt_sigpending(struct hp_call *call)
{
	uint64_t set = 0;
	long failed;

	if (!hp_thread()->sigsys_pending || call->arg[1] != 8)
		return HP_PASS;
	failed = hp_syscall2(__NR_rt_sigpending, (long)&set, 8);
	set |= BIT;
	return failed ? failed : hp_user_write((void *)call->arg[0], &set, sizeof set);
}

long hp_call_rt_sigtimedwait(struct hp_call *call)
{
	struct hp_thread *thread = hp_thread();
	uint64_t set;

	if (!thread->sigsys_pending || call->arg[3] != 8 ||
	    hp_user_read(&set, (const void *)call->arg[0], sizeof set) || !(set & BIT))
		return HP_PASS;
	if (call->arg[1] && hp_user_write((void *)call->arg[1], &thread->sigsys_info, sizeof thread->sigsys_info))
		return -EFAULT;
	thread->sigsys_pending = 0;
	return SIGSYS;
}
