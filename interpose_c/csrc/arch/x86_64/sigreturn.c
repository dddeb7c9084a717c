/* The way back from a handler of the program's.
 *
 * A frame shows the program what it would see natively: its own alternate stack,
 * its own code where a trampoline runs for it, SIGSYS blocked if it believes so.
 * The kernel must not take these literally. So such a frame ends in a restorer
 * of the same bytes outside of the shim's text, whose call is dispatched; then
 * the frame is put right for the kernel. It costs a SIGSYS, so frames in which
 * there is nothing to put right, and which no handler gets to see, have the
 * restorer in signal.S.
 */
#include <linux/mman.h>

#include "signals.h"

#define NOT_FOR_THE_KERNEL 0x40000000 /* a mode that it does not know: it leaves its stack alone */
#define BIT HP_SIG_BIT(SIGSYS)

static unsigned long seen;

unsigned long hp_sigreturn_seen(void)
{
	unsigned long known = __atomic_load_n(&seen, __ATOMIC_ACQUIRE), none = 0;
	long page;

	if (known)
		return known;
	page = hp_syscall6(__NR_mmap, 0, HP_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page < 0)
		return 0;
	known = (unsigned long)page + 64;
	memcpy((void *)known, hp_restorer, (unsigned long)(hp_restorer_call + 2 - hp_restorer));
	if (hp_syscall3(__NR_mprotect, page, HP_PAGE, PROT_READ | PROT_EXEC) ||
	    !__atomic_compare_exchange_n(&seen, &none, known, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		hp_syscall2(__NR_munmap, page, HP_PAGE);
		return none;
	}
	hp_shim_range_add((unsigned long)page, HP_PAGE);
	return known;
}

void hp_sigreturn_hide(struct ucontext *context)
{
	context->uc_stack.ss_flags |= NOT_FOR_THE_KERNEL;
}

/* A call that came the slow way need not do so again: with many signals there would be no end of it. */
static void go_on(struct sigcontext *regs)
{
	unsigned long return_to = hp_site_known(regs->rip);
	uint8_t code[2];

	if (hp_traced)
		return; /* text is what it was */
	if (return_to && hp_user_read(code, (const void *)regs->rip, 2) == 0 && code[0] == 0x0f && code[1] == 0x05) {
		regs->rip = hp_entry_of(regs->rax);
		regs->rcx = return_to;
	} else {
		regs->rip = hp_trampoline_unseen(regs->rip);
	}
}

void hp_sigreturn_settle(struct hp_thread *thread, unsigned long stack)
{
	struct ucontext *user = (struct ucontext *)stack, context;

	if (hp_user_read(&context, user, sizeof context))
		return; /* the kernel knows what to say */
	if (!(context.uc_stack.ss_flags & NOT_FOR_THE_KERNEL))
		hp_altstack_set(&thread->altstack, &context.uc_stack, stack);
	hp_sigreturn_hide(&context);
	if (!hp_traced) {
		hp_sigsys_believe(thread, context.uc_sigmask & BIT);
		context.uc_sigmask &= ~BIT;
	}
	go_on(&context.uc_mcontext);
	hp_user_write(user, &context, sizeof context);
}

/* Does not return. Traced, %gs is the block's here, and no frame holds the program's. */
static _Noreturn void leave_traced(const struct hp_thread *thread, unsigned long stack)
{
	hp_gs_write(thread->program_gs);
	__asm__ volatile("mov %0, %%rsp\n\tsyscall" : : "r"(stack), "a"(__NR_rt_sigreturn) : "memory");
	__builtin_unreachable();
}

/* From a rewritten site or a tracer's stop. */
long hp_call_rt_sigreturn(struct hp_call *call)
{
	struct hp_thread *thread = hp_thread();
	unsigned long stack = ((struct hp_frame *)call)->regs.rsp;
	uint64_t old;
	long waiting;

	hp_sigreturn_settle(thread, stack);
	if (!thread->traced)
		return HP_PASS;
	waiting = hp_signals_block(&old); /* the frame's mask comes back with it */
	if (waiting)
		return waiting;
	leave_traced(thread, stack);
}
