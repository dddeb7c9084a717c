/* sigaltstack: the kernel has a stack of the shim's, the program's is used by moving frames there.
 *
 * Why: SIGSYS may come at any system call. On the program's alternate stack it
 * would need twice the room the program thought of, and would overwrite what
 * lives there when the program has left it (coroutines made with sigaltstack);
 * on the current stack it would not fit a goroutine.
 *
 * Limit: SS_AUTODISARM is remembered, but the stack stays armed.
 */
#include <linux/signal.h>

#include "signals.h"

#define SS_KEPT_FLAGS 0x80000000u /* SS_AUTODISARM */
#define SMALLEST 2048ul
#define RED_ZONE 128ul
#define PLAIN_STATE 512ul
#define EXTENDED_MAGIC 0x46505853u

struct stack_argument {
	unsigned long base;
	uint32_t flags, pad;
	unsigned long size;
};

static bool inside(const struct hp_altstack *stack, unsigned long address)
{
	return stack->size && address > stack->base && address - stack->base <= stack->size;
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

	if (on_altstack && stack->size && !inside(stack, frame->context.uc_mcontext.rsp))
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

long hp_call_sigaltstack(struct hp_call *call)
{
	struct hp_altstack *stack = &hp_thread()->altstack, before = *stack;
	bool on_it = inside(stack, ((struct hp_frame *)call)->regs.rsp);
	struct stack_argument new, old = {
		.base = before.base,
		.size = before.size,
		.flags = (before.size ? 0 : SS_DISABLE) | before.flags,
	};

	if (on_it)
		old.flags |= SS_ONSTACK;
	if (call->arg[0]) {
		if (hp_user_read(&new, (const void *)call->arg[0], sizeof new))
			return -EFAULT;
		if (on_it)
			return -EPERM;
		switch (new.flags & ~SS_KEPT_FLAGS) {
		case SS_DISABLE:
			*stack = (struct hp_altstack){ .flags = new.flags & SS_KEPT_FLAGS };
			break;
		case SS_ONSTACK:
		case 0:
			if (new.size < SMALLEST)
				return -ENOMEM;
			*stack = (struct hp_altstack){ new.base, new.size, new.flags & SS_KEPT_FLAGS };
			break;
		default:
			return -EINVAL;
		}
	}
	return call->arg[1] ? hp_user_write((void *)call->arg[1], &old, sizeof old) : 0;
}
