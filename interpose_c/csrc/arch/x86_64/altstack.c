/* sigaltstack: the kernel has a stack of the shim's, the program's is used by moving frames there.
 *
 * Why: SIGSYS may come at any system call. On the program's alternate stack it
 * would need twice the room the program thought of, and would overwrite what
 * lives there when the program has left it (coroutines made with sigaltstack);
 * on the current stack it would not fit a goroutine.
 *
 * A frame names the program's stack (uc_stack), and the way back (sigreturn.c)
 * sets it again, as the kernel does: SS_AUTODISARM needs both.
 */
#include <linux/signal.h>

#include "signals.h"

#define AUTODISARM 0x80000000u
#define SMALLEST 2048ul
#define RED_ZONE 128ul
#define PLAIN_STATE 512ul
#define EXTENDED_MAGIC 0x46505853u

static bool inside(const struct hp_altstack *stack, unsigned long address)
{
	return stack->size && address > stack->base && address - stack->base <= stack->size;
}

/* With SS_AUTODISARM a thread is never on it: it is disarmed while a handler runs. */
static bool is_on(const struct hp_altstack *stack, unsigned long address)
{
	return !(stack->flags & AUTODISARM) && inside(stack, address);
}

/* Bytes of vector state at `state`; see struct _fpx_sw_bytes in asm/sigcontext.h. */
static unsigned long state_bytes(const void *state)
{
	const uint32_t *software = (const uint32_t *)((const char *)state + 464);

	if (!state)
		return 0;
	return software[0] == EXTENDED_MAGIC ? software[1] : PLAIN_STATE;
}

struct hp_signal_frame *hp_altstack_move(const struct hp_thread *thread, struct hp_signal_frame *frame,
					 bool on_altstack)
{
	const struct hp_altstack *stack = &thread->altstack;
	unsigned long top = frame->context.uc_mcontext.rsp - RED_ZONE, bytes, state, to;
	const void *from = (const void *)frame->context.uc_mcontext.fpstate;
	struct hp_signal_frame *moved;

	if (on_altstack && stack->size && !is_on(stack, frame->context.uc_mcontext.rsp))
		top = stack->base + stack->size;
	bytes = state_bytes(from);
	state = (top - bytes) & ~63ul;
	to = ((state - sizeof *frame) & ~15ul) - 8; /* as after a call */
	if (inside(stack, top) && to < stack->base)
		return NULL;
	moved = (struct hp_signal_frame *)to;
	memcpy((void *)state, from, bytes);
	memcpy(moved, frame, sizeof *frame);
	if (from)
		moved->context.uc_mcontext.fpstate = (void *)state;
	return moved;
}

void hp_altstack_enter(struct hp_thread *thread, struct ucontext *context)
{
	struct hp_altstack *stack = &thread->altstack;

	context->uc_stack.ss_sp = (void *)stack->base;
	context->uc_stack.ss_size = stack->size;
	context->uc_stack.ss_flags = (int)stack->flags;
	if (stack->flags & AUTODISARM)
		*stack = (struct hp_altstack){ .flags = SS_DISABLE };
}

long hp_altstack_set(struct hp_altstack *stack, const stack_t *new, unsigned long at)
{
	uint32_t flags = (uint32_t)new->ss_flags;

	if (is_on(stack, at))
		return -EPERM;
	switch (flags & ~AUTODISARM) {
	case SS_DISABLE:
		*stack = (struct hp_altstack){ .flags = flags };
		return 0;
	case SS_ONSTACK:
	case 0:
		if (new->ss_size < SMALLEST)
			return -ENOMEM;
		*stack = (struct hp_altstack){ (unsigned long)new->ss_sp, new->ss_size, flags };
		return 0;
	default:
		return -EINVAL;
	}
}

long hp_call_sigaltstack(struct hp_call *call)
{
	struct hp_altstack *stack = &hp_thread()->altstack;
	unsigned long at = ((struct hp_frame *)call)->regs.rsp;
	stack_t new, old = {
		.ss_sp = (void *)stack->base,
		.ss_size = stack->size,
		.ss_flags = (int)((!stack->size     ? SS_DISABLE :
				   is_on(stack, at) ? SS_ONSTACK :
						      0) |
				  (stack->flags & AUTODISARM)),
	};
	long failed;

	if (call->arg[0]) {
		if (hp_user_read(&new, (const void *)call->arg[0], sizeof new))
			return -EFAULT;
		failed = hp_altstack_set(stack, &new, at);
		if (failed)
			return failed;
	}
	return call->arg[1] ? hp_user_write((void *)call->arg[1], &old, sizeof old) : 0;
}
