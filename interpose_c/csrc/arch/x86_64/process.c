/* New processes and threads, and their end.
 *
 * Dispatch is per task and not inherited, so every child begins in the shim:
 * hp_clone_raw leads it to hp_child_start, with all signals blocked, then it
 * leaves like any call, by unblocking on its own stack. A child that shares
 * memory gets a thread block of its own before it exists.
 */
#include <linux/sched.h>
#include <linux/signal.h>

#include "signals.h"

struct request {
	long nr;
	long arg[5];
	uint64_t flags;
	unsigned long stack; /* top of the child's; 0: it goes on on the caller's */
	bool clears;      /* handlers: CLONE_CLEAR_SIGHAND */
};

static struct hp_thread *prepare(struct hp_thread *parent, const struct request *what)
{
	struct hp_thread *child = hp_thread_create();

	if (!child)
		return NULL;
	if (!(what->flags & CLONE_THREAD))
		child->flags = HP_THREAD_SHARED | (what->flags & CLONE_VFORK ? HP_THREAD_VFORK : 0);
	else
		child->flags = parent->flags & HP_THREAD_SHARED;
	child->sigsys_blocked = parent->sigsys_blocked;
	child->program_gs = parent->program_gs;
	/* as the kernel: a new thread has none */
	child->altstack = what->flags & CLONE_VFORK ? parent->altstack : (struct hp_altstack){ .flags = SS_DISABLE };
	if (what->flags & CLONE_SIGHAND) {
		child->actions = parent->actions;
	} else {
		memcpy(&child->own_actions, parent->actions, sizeof child->own_actions);
		child->own_actions.lock = 0;
		child->actions = &child->own_actions;
	}
	return child;
}

static long spawn(struct hp_call *call, const struct request *what)
{
	struct hp_frame *frame = (struct hp_frame *)call;
	struct hp_thread *parent = hp_thread(), *child = parent;
	bool shares = what->flags & CLONE_VM;
	uint64_t mask;
	long result;

	if (!shares)
		hp_gate_pass(); /* the child would have zeros where memory still follows */
	if (hp_signals_block(&mask))
		return HP_AGAIN;
	hp_count_calls();
	if (!shares && what->flags & CLONE_FS)
		hp_place_shared = true;
	if (shares) {
		child = prepare(parent, what);
		if (!child) {
			hp_signals_restore(mask);
			return -EAGAIN;
		}
		*(struct hp_frame *)child->frame = *frame;
		frame = (struct hp_frame *)child->frame;
	}
	child->mask = mask;
	child->child_stack = what->stack;
	child->flags |= what->clears ? HP_THREAD_CLEARS : 0;
	result = hp_clone_raw(what->nr, what->arg, child, frame);
	parent->flags &= ~(uint32_t)HP_THREAD_CLEARS;
	if (shares && (result < 0 || what->flags & CLONE_VFORK))
		hp_thread_release(child);
	hp_signals_restore(mask);
	return result;
}

void hp_child_start(struct hp_thread *child, struct hp_frame *frame)
{
	bool forked = child == hp_thread(), clears;

	if (!forked)
		hp_thread_install(child);
	else if (hp_traced)
		hp_trace_begin_task(child);
	if (!hp_traced)
		hp_dispatch_arm();
	frame->regs.rax = 0;
	if (child->child_stack)
		frame->regs.rsp = child->child_stack;
	clears = child->flags & HP_THREAD_CLEARS;
	child->flags &= ~(uint32_t)HP_THREAD_CLEARS;
	if (forked)
		hp_threads_after_fork(child);
	if (clears)
		hp_actions_clear(child->actions);
	if (!forked)
		return;
	hp_rewrite_after_fork();
	hp_trace_after_fork();
	hp_proc_publish();
	hp_after_fork();
}

long hp_call_clone(struct hp_call *call)
{
	struct request what = {
		.nr = __NR_clone,
		.flags = (uint64_t)call->arg[0],
		.stack = (unsigned long)call->arg[1],
	};

	for (int i = 0; i < 5; i++)
		what.arg[i] = call->arg[i];
	what.arg[0] &= ~CLONE_UNTRACED; /* nobody else's tracer is meant */
	return spawn(call, &what);
}

long hp_call_fork(struct hp_call *call)
{
	struct request what = { .nr = __NR_fork };

	return spawn(call, &what);
}

long hp_call_vfork(struct hp_call *call)
{
	struct request what = { .nr = __NR_vfork, .flags = CLONE_VM | CLONE_VFORK };

	return spawn(call, &what);
}

long hp_call_clone3(struct hp_call *call)
{
	struct clone_args args = { 0 };
	struct request what = { .nr = __NR_clone3, .arg = { call->arg[0], call->arg[1] } };
	unsigned long size = (unsigned long)call->arg[1], known;

	if (size < CLONE_ARGS_SIZE_VER0 || size > HP_PAGE)
		return HP_PASS; /* the kernel says what is wrong with it */
	if (hp_user_read(&args, (const void *)call->arg[0], size < sizeof args ? size : sizeof args))
		return -EFAULT;
	known = size < sizeof args ? size : sizeof args;
	for (unsigned long at = known; at < size; at++) {
		char more;

		if (hp_user_read(&more, (const void *)(call->arg[0] + (long)at), 1))
			return -EFAULT;
		if (more)
			return -E2BIG;
	}
	what.clears = args.flags & CLONE_CLEAR_SIGHAND && !(args.flags & CLONE_SIGHAND);
	if (what.clears || args.flags & CLONE_UNTRACED) {
		/* the kernel would drop the shim's handlers too; the tracer has to see every child */
		args.flags &= ~((what.clears ? CLONE_CLEAR_SIGHAND : 0) | (uint64_t)CLONE_UNTRACED);
		what.arg[0] = (long)&args;
		what.arg[1] = (long)known;
	}
	what.flags = args.flags;
	what.stack = args.stack ? (unsigned long)(args.stack + args.stack_size) : 0;
	return spawn(call, &what);
}

long hp_call_exit(struct hp_call *call)
{
	struct hp_thread *thread = hp_thread();
	uint64_t mask;

	hp_count_calls();
	if (thread->flags & HP_THREAD_VFORK)
		return HP_PASS; /* our parent frees the block */
	if (hp_signals_block(&mask))
		return HP_AGAIN;
	hp_thread_leaves();
	hp_exit_released(thread, call->arg[0], __NR_exit);
}

long hp_call_exit_group(struct hp_call *call)
{
	struct hp_thread *thread = hp_thread();
	uint64_t mask;

	hp_count_calls();
	if (!(thread->flags & HP_THREAD_SHARED)) {
		hp_proc_withdraw();
		return HP_PASS;
	}
	if (thread->flags & HP_THREAD_VFORK)
		return HP_PASS;
	if (hp_signals_block(&mask))
		return HP_AGAIN;
	hp_thread_leaves();
	hp_exit_released(thread, call->arg[0], __NR_exit_group);
}
