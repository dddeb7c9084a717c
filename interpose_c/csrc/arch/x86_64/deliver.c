/* A signal of the program's: when and where its handler runs.
 *
 * Every handler of the program's is known to the kernel as hp_signal_entry, which
 * comes here with everything blocked. Three cases, by what was interrupted:
 *  1. the program's own code: its handler is called, on the frame the kernel made;
 *  2. the shim on the program's stack (a call that is being passed on): the
 *     context is rewritten to the program's: a call not made yet, or to be
 *     restarted, is back at its site, a finished one has returned. Then as 1.
 *     So a handler may longjmp, unwind, or never return: the shim holds nothing;
 *  3. a handler of the shim, on the shim's stack: the signal is deferred. All
 *     others are blocked in the interrupted context; at the handler's end
 *     (hp_leave) the signal goes back to the kernel's queue and is unblocked on
 *     the program's stack with the program's registers, so it arrives as in 2.
 * The program's view of the mask is set by one rt_sigprocmask before its handler
 * is entered; the cost is a tenth of a signal's.
 */
#include "offsets.h"
#include "signals.h"

extern char hp_pass[], hp_pass_done[], hp_entry_unknown[], hp_unknown_done[], hp_native[], hp_native_done[],
	hp_int80_done[], hp_entry_on_stack[], hp_leave[], hp_leave_jump[], hp_leave_pass[], hp_pass_on_app_stack[],
	hp_pass_on_app_stack_done[], hp_pass_on_app_stack_jump[], hp_entry_save[], hp_pass_later[], hp_leave_tail[],
	hp_tail_on_app_stack[], hp_tail_done[], hp_tail_jump[], hp_unblock_on_app_stack[], hp_unblock_done[],
	hp_unblock_jump[], hp_interruptible_begin[], hp_interruptible_syscall[], hp_interruptible_restart[],
	hp_user_begin[], hp_user_end[], hp_user_fault[], hp_entry_traced_gs[], hp_leave_otherwise[], hp_exit_jump[];

#define FROM_KERNEL 0x80 /* SI_KERNEL: no address, as of a fault that is no page's */
#define UNBLOCKABLE (HP_SIG_BIT(SIGKILL) | HP_SIG_BIT(SIGSTOP))

static bool within(unsigned long rip, const char *first, const char *last)
{
	return rip >= (unsigned long)first && rip <= (unsigned long)last;
}

static bool between(unsigned long rip, const char *first, const char *end)
{
	return rip >= (unsigned long)first && rip < (unsigned long)end;
}

static bool is(unsigned long rip, const char *label)
{
	return rip == (unsigned long)label;
}

unsigned long hp_site_of(unsigned long return_to)
{
	unsigned long site = hp_tail_site(return_to);

	return site ? site : return_to - 2;
}

static void give_back_arguments(const struct hp_thread *thread, struct sigcontext *regs)
{
	regs->rdi = thread->tail_arg[0];
	regs->rsi = thread->tail_arg[1];
	regs->rdx = thread->tail_arg[2];
	regs->r10 = thread->tail_arg[3];
	regs->r8 = thread->tail_arg[4];
	regs->r9 = thread->tail_arg[5];
}

static bool sleeps_with_mask(uint64_t nr)
{
	return nr == __NR_rt_sigsuspend || nr == __NR_ppoll || nr == __NR_pselect6 || nr == __NR_epoll_pwait ||
	       nr == __NR_epoll_pwait2;
}

/* The end of a call that somebody watches: its result waits in rax, or in the thread block. */
static bool settle_observed(struct hp_thread *thread, struct sigcontext *regs)
{
	unsigned long rip = regs->rip;
	bool saving = between(rip, hp_entry_save, hp_entry_on_stack) && regs->rax == OBSERVED_NR;

	if (!saving && !within(rip, hp_observed_done, hp_observed_jump))
		return false;
	if (saving || is(rip, hp_observed_jump))
		regs->rax = thread->observed_result;
	regs->rip = thread->return_to;
	return true;
}

/* Case 2. Returns the mask under which the interrupted call slept, if that is
 * not the context's. */
static const uint64_t *settle(struct hp_thread *thread, struct sigcontext *regs)
{
	unsigned long rip = regs->rip;

	if (is(thread->exit, hp_observed_done) && (within(rip, hp_pass_on_app_stack_done, hp_pass_on_app_stack_jump) ||
						   within(rip, hp_tail_done, hp_tail_jump)))
		hp_observe_interrupted(thread, (long)regs->rax);
	hp_observe_straighten(thread);
	if (settle_observed(thread, regs))
		return NULL;
	if (hp_traced && within(rip, hp_entry_traced, hp_entry_handled)) {
		if (is(rip, hp_entry_traced))
			thread->program_gs = regs->r11;
		regs->rip = hp_site_of(regs->rcx);
	} else if (is(rip, hp_entry_any) || is(rip, hp_entry_native) || is(rip, hp_entry_handled)) {
		regs->rip = hp_site_of(regs->rcx); /* it came with SIGSYS: return_to is not set */
	} else if (within(rip, hp_entry_any, hp_pass) || is(rip, hp_entry_unknown) ||
		   within(rip, hp_entry_native, hp_native) || is(rip, hp_entry_int80) ||
		   between(rip, hp_entry_handled, hp_entry_on_stack) || is(rip, hp_pass_on_app_stack)) {
		regs->rip = hp_site_of(thread->return_to);
	} else if (is(rip, hp_pass_done) || is(rip, hp_unknown_done) || is(rip, hp_native_done) ||
		   is(rip, hp_int80_done) || is(rip, hp_exit_plain) ||
		   within(rip, hp_pass_on_app_stack_done, hp_pass_on_app_stack_jump) ||
		   between(rip, hp_exit_traced, hp_exit_jump)) {
		regs->rip = thread->return_to;
	} else if (is(rip, hp_leave_jump) || is(rip, hp_exit_jump)) {
		regs->rip = regs->rcx;
	} else if (is(rip, hp_tail_on_app_stack)) {
		give_back_arguments(thread, regs);
		if (regs->rax != __NR_restart_syscall)
			regs->rax = thread->tail_nr;
		regs->rip = hp_site_of(thread->return_to);
	} else if (within(rip, hp_tail_done, hp_tail_jump)) {
		give_back_arguments(thread, regs);
		regs->rip = thread->return_to;
		if (sleeps_with_mask(thread->tail_nr) && (long)regs->rax == -EINTR)
			return &thread->suspend_mask;
	} else if (within(rip, hp_unblock_done, hp_unblock_jump)) {
		give_back_arguments(thread, regs);
		regs->rax = thread->result;
		regs->rip = thread->return_to;
	}
	return NULL;
}

/* Case 3. */
static void defer(struct hp_thread *thread, int sig, const struct hp_siginfo *info, struct ucontext *context)
{
	struct sigcontext *regs = &context->uc_mcontext;

	if (thread->deferred < HP_DEFERRED_MAX) {
		if (thread->deferred == 0)
			thread->mask = context->uc_sigmask;
		thread->info[thread->deferred] = *info;
		thread->info[thread->deferred++].signo = sig;
	}
	context->uc_sigmask = HP_EVERYTHING & ~(HP_SIG_BIT(SIGSEGV) | HP_SIG_BIT(SIGBUS));
	if (between(regs->rip, hp_leave, hp_leave_jump) || between(regs->rip, hp_leave_otherwise, hp_exit_traced))
		regs->rip = (unsigned long)hp_leave;
	else if (between(regs->rip, hp_leave_pass, hp_pass_on_app_stack))
		regs->rip = (unsigned long)hp_pass_later;
	else if (between(regs->rip, hp_leave_tail, hp_tail_on_app_stack))
		regs->rip = (unsigned long)hp_pass_later;
	else if (within(regs->rip, hp_interruptible_begin, hp_interruptible_syscall))
		regs->rip = (unsigned long)hp_interruptible_restart;
}

/* The default action, for signals that are always handled. */
static void die_of(int sig, const struct hp_siginfo *info)
{
	struct hp_sigaction fatal = { .handler = HP_SIG_DFL };

	hp_syscall4(__NR_rt_sigaction, sig, (long)&fatal, 0, 8);
	if (info->code <= 0 || sig == SIGSYS || sig == SIGTRAP) /* a fault comes again by itself */
		hp_syscall4(__NR_rt_tgsigqueueinfo, hp_syscall0(__NR_getpid), hp_syscall0(__NR_gettid), sig,
			    (long)info);
}

/* Handled by us alone: natively it would end the process wherever that is. */
static bool is_deadly(const struct hp_thread *thread, int sig)
{
	return hp_handled_by_default(sig) && sig != SIGSYS && thread->actions->of[sig - 1].handler == HP_SIG_DFL;
}

static unsigned long handler_of(struct hp_thread *thread, int sig, struct hp_signal_frame *frame, uint64_t *blocked,
				bool *on_altstack)
{
	struct hp_sigaction *action = &thread->actions->of[sig - 1];
	unsigned long handler = action->handler;
	const struct hp_siginfo *info = &frame->info;

	if (sig == SIGSYS && !hp_traced && thread->sigsys_blocked && handler != HP_SIG_IGN) {
		thread->sigsys_info = *info;
		thread->sigsys_pending = 1;
		return 0;
	}
	if (handler <= HP_SIG_IGN && hp_handled_by_default(sig)) {
		if (handler == HP_SIG_DFL || (info->code > 0 && sig != SIGSYS)) {
			hp_crash_tell(sig, info, &frame->context);
			die_of(sig, info);
		}
		return 0;
	}
	if (handler <= HP_SIG_IGN) /* changed after the kernel had chosen the handler */
		return thread->actions->last_handler[sig - 1];
	*on_altstack = action->flags & SA_ONSTACK;
	*blocked = action->mask | (action->flags & SA_NODEFER ? 0 : HP_SIG_BIT(sig));
	if (action->flags & SA_RESETHAND) {
		struct hp_sigaction reset = { .handler = HP_SIG_DFL };

		action->handler = HP_SIG_DFL;
		if (!hp_handled_by_default(sig))
			hp_syscall4(__NR_rt_sigaction, sig, (long)&reset, 0, 8);
	}
	return handler;
}

/* Traced, %gs may be the program's here; where the kernel's signal stack is tells
 * whose block it is. */
static struct hp_thread *enter(const struct hp_signal_frame *frame)
{
	struct hp_thread *thread;
	unsigned long gs;

	if (!hp_traced)
		return hp_thread();
	thread = (struct hp_thread *)((char *)frame->context.uc_stack.ss_sp + HP_SIGNAL_BYTES + HP_STACK_BYTES);
	gs = hp_gs_read();
	if (gs != (unsigned long)thread) {
		thread->program_gs = gs;
		hp_gs_write((unsigned long)thread);
	}
	return thread;
}

/* What the program is to see in its frame. True: which it has to be rid of
 * before the kernel leaves the frame. */
static bool dress(struct hp_thread *thread, int sig, struct ucontext *context, uint64_t blocked, bool unsettled)
{
	struct sigcontext *regs = &context->uc_mcontext;
	unsigned long rip = hp_trampoline_seen(regs->rip);
	bool look = unsettled || rip != regs->rip || thread->altstack.size || thread->sigsys_blocked ||
		    blocked & HP_SIG_BIT(SIGSYS) || thread->actions->of[sig - 1].flags & SA_SIGINFO;

	if (!look || !hp_sigreturn_seen()) {
		hp_altstack_enter(thread, context);
		hp_sigreturn_hide(context);
		return false;
	}
	regs->rip = rip;
	hp_altstack_enter(thread, context);
	if (thread->sigsys_blocked)
		context->uc_sigmask |= HP_SIG_BIT(SIGSYS);
	else if (blocked & HP_SIG_BIT(SIGSYS) && !hp_traced)
		thread->sigsys_blocked = 1;
	return true;
}

static bool overflows(const struct ucontext *context)
{
	static const struct hp_siginfo overflow = { .signo = SIGSEGV, .code = FROM_KERNEL };

	hp_crash_tell(SIGSEGV, &overflow, context);
	die_of(SIGSEGV, &overflow);
	hp_syscall2(__NR_tkill, hp_syscall0(__NR_gettid), SIGSEGV);
	return false;
}

static bool prepare(struct hp_thread *thread, int sig, struct hp_signal_frame *frame, struct hp_signal_call *call)
{
	struct ucontext *context = &frame->context;
	struct sigcontext *regs = &context->uc_mcontext;
	bool fault = (sig == SIGSEGV || sig == SIGBUS) && frame->info.code > 0, on_altstack = false, unsettled;
	const uint64_t *slept_with = NULL;
	uint64_t blocked = 0;

	if (sig == SIGSEGV && frame->info.code == FROM_KERNEL && hp_cpuid_answer(regs))
		return false;
	if (fault && between(regs->rip, hp_user_begin, hp_user_end)) {
		regs->rip = (unsigned long)hp_user_fault;
		return false;
	}
	if (fault && hp_traced &&
	    (is(regs->rip, hp_entry_any) || is(regs->rip, hp_entry_native) || is(regs->rip, hp_entry_handled))) {
		/* a frame from before the process was taken over led back here, without our %gs */
		regs->rip = hp_site_of(regs->rcx);
		return false;
	}
	if (hp_on_shim_stack(thread, regs->rsp)) {
		if (fault) {
			hp_crash_tell(sig, &frame->info, context); /* the shim is wrong */
			die_of(sig, &frame->info);
		} else if (is_deadly(thread, sig)) {
			hp_crash_tell(sig, &frame->info, context);
			die_of(sig, &frame->info);
			context->uc_sigmask &= ~HP_SIG_BIT(sig);
		} else {
			defer(thread, sig, &frame->info, context);
		}
		return false;
	}
	unsettled = within(regs->rip, hp_text_start, hp_text_end);
	if (is(regs->rip, hp_restorer_call) && (context->uc_sigmask | UNBLOCKABLE) == HP_EVERYTHING)
		slept_with = &((const struct ucontext *)regs->rsp)->uc_sigmask; /* the frame is as good as left */
	else if (unsettled)
		slept_with = settle(thread, regs);
	call->handler = handler_of(thread, sig, frame, &blocked, &on_altstack);
	if (!call->handler)
		return false;
	call->mask = ((slept_with ? *slept_with : context->uc_sigmask) | blocked) & HP_EVERYTHING;
	call->frame = frame;
	if (hp_on_signal_stack(thread, (unsigned long)frame))
		call->frame = hp_altstack_move(thread, frame, on_altstack);
	if (!call->frame)
		return overflows(context);
	if (dress(thread, sig, &call->frame->context, blocked, unsettled))
		call->frame->restorer = hp_sigreturn_seen();
	return true;
}

bool hp_signal_prepare(int sig, struct hp_signal_frame *frame, struct hp_signal_call *call)
{
	struct hp_thread *thread = enter(frame);
	bool handled = prepare(thread, sig, frame, call);

	if (thread->traced && !hp_on_shim_stack(thread, frame->context.uc_mcontext.rsp))
		hp_gs_write(thread->program_gs);
	return handled;
}

/* At the end of a handler: signals go back to the kernel, whose unblocking on
 * the program's stack follows (hp_leave_unblocking). */
void hp_deliver_deferred(struct hp_frame *frame)
{
	struct hp_thread *thread = hp_thread();
	uint64_t everything = ~0ul, old = 0; /* SIGSYS too: from here to the unblocking all calls are the shim's */
	bool again = (long)frame->regs.rax == HP_AGAIN;
	long pid = hp_syscall0(__NR_getpid), tid = hp_syscall0(__NR_gettid);

	hp_observe_straighten(thread);
	hp_syscall4(__NR_rt_sigprocmask, SIG_SETMASK, (long)&everything, (long)&old, 8);
	if (thread->deferred == 0)
		thread->mask = old;
	if ((long)frame->regs.rax == HP_RESTART) {
		int sig = thread->deferred ? thread->info[0].signo : 0;

		again = sig == 0 || thread->actions->of[sig - 1].flags & SA_RESTART;
		frame->regs.rax = (uint64_t)-EINTR;
	}
	if (again) {
		frame->regs.rax = frame->regs.nr;
		frame->regs.rip = hp_site_of(frame->regs.rip);
	}
	for (unsigned i = 0; i < thread->deferred; i++)
		hp_syscall4(__NR_rt_tgsigqueueinfo, pid, tid, thread->info[i].signo, (long)&thread->info[i]);
	thread->deferred = 0;
}

long hp_signals_block(uint64_t *old)
{
	uint64_t everything = HP_EVERYTHING;

	return hp_syscall_interruptible(__NR_rt_sigprocmask, SIG_SETMASK, (long)&everything, (long)old, 8, 0, 0) ?
		       HP_AGAIN :
		       0;
}

void hp_signals_restore(uint64_t mask)
{
	hp_syscall4(__NR_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, 8);
}
