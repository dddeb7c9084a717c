/* Thread blocks: for each task a struct hp_thread, found by %gs:0, right below it
 * the stack on which the shim's handlers run (its first frame shares a page with
 * the struct), below that the stack on which the kernel leaves signal frames,
 * then a guard page.
 *
 * Owns: making, finding, reusing blocks. Leaves to others: what is in them.
 * Blocks are never unmapped: a thread that ends still runs on its block's last
 * instruction. The list only grows, so readers need no lock.
 */
#include <asm/prctl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <asm/signal.h>

#include "hpool/arch.h"
#include "offsets.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif

#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), "offsets.h: " #field)
AT(struct hp_thread, return_to, T_RETURN);
AT(struct hp_thread, app_stack, T_APP_STACK);
AT(struct hp_thread, frame, T_FRAME);
AT(struct hp_thread, deferred, T_DEFERRED);
AT(struct hp_thread, tail_arg, T_TAIL_ARG);
AT(struct hp_thread, tail_nr, T_TAIL_NR);
AT(struct hp_thread, result, T_RESULT);
AT(struct hp_thread, mask, T_MASK);
AT(struct hp_thread, owner, T_OWNER);
AT(struct hp_thread, traced, T_TRACED);
AT(struct hp_thread, exit, T_EXIT);
AT(struct hp_thread, program_gs, T_PROGRAM_GS);
AT(struct hp_thread, last, T_LAST);
AT(struct hp_thread, observed_result, T_OBSERVED_RESULT);
AT(struct hp_thread, calls, T_CALLS);
AT(struct hp_thread, recorded, T_RECORDED);
AT(struct hp_recorded, done, L_DONE);
AT(struct hp_recorded, arg, L_ARG);
AT(struct hp_recorded, result, L_RESULT);
_Static_assert(RECORDED == HP_RECORDED, "recorder");
AT(struct hp_frame, call.arg, C_ARG);
AT(struct hp_frame, call.regs, C_REGS);
AT(struct hp_frame, regs, FRAME_REGS);
AT(struct hp_frame, regs.rbx, R_RBX);
AT(struct hp_frame, regs.rax, R_RAX);
AT(struct hp_frame, regs.rip, R_RIP);
AT(struct hp_frame, regs.flags, R_FLAGS);
_Static_assert(sizeof(struct hp_frame) == FRAME_BYTES && FRAME_BYTES % 16 == 0, "frame");

#define BLOCK_BYTES ((sizeof(struct hp_thread) + 63) & ~63ul)
#define AREA_BYTES HP_PAGE_UP(HP_PAGE + HP_SIGNAL_BYTES + HP_STACK_BYTES + BLOCK_BYTES)

struct hp_actions hp_main_actions;
static struct hp_thread *blocks;
static uint32_t released; /* blocks without an owner, at least: spares the search while there are none */

#define ADDED_RANGES 8
static struct {
	unsigned long start, end;
} added[ADDED_RANGES];
static unsigned added_count;

bool hp_place_shared;

static struct hp_thread *claim(void)
{
	if ((int32_t)__atomic_load_n(&released, __ATOMIC_RELAXED) <= 0)
		return NULL;
	for (struct hp_thread *thread = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE); thread; thread = thread->next) {
		uint32_t free = 0;

		if (__atomic_load_n(&thread->owner, __ATOMIC_RELAXED) == 0 &&
		    __atomic_compare_exchange_n(&thread->owner, &free, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			__atomic_sub_fetch(&released, 1, __ATOMIC_RELAXED);
			return thread;
		}
	}
	return NULL;
}

static struct hp_thread *map_block(void)
{
	long area = hp_syscall6(__NR_mmap, 0, AREA_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct hp_thread *thread;

	if (area < 0 && area > -4096)
		return NULL;
	hp_syscall3(__NR_mprotect, area, HP_PAGE, PROT_NONE);
	thread = (struct hp_thread *)(area + (long)(AREA_BYTES - BLOCK_BYTES));
	thread->self = thread;
	thread->frame = (uint64_t)thread - FRAME_BYTES;
	thread->last = thread->recorded;
	thread->owner = 1;
	thread->next = __atomic_load_n(&blocks, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&blocks, &thread->next, thread, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	return thread;
}

struct hp_thread *hp_thread_create(void)
{
	struct hp_thread *thread = claim();

	if (!thread)
		return map_block();
	thread->deferred = 0;
	thread->flags = 0;
	thread->sigsys_pending = 0;
	thread->child_stack = 0;
	thread->exec_scratch = NULL;
	thread->altstack = (struct hp_altstack){ 0 };
	thread->calls = thread->counted = 0;
	memset(thread->words, 0, sizeof thread->words);
	return thread;
}

void hp_thread_release(struct hp_thread *thread)
{
	if (thread->exec_scratch)
		hp_syscall2(__NR_munmap, (long)thread->exec_scratch, (long)thread->exec_scratch_bytes);
	hp_thread_leaves();
	__atomic_store_n(&thread->owner, 0, __ATOMIC_SEQ_CST);
}

void hp_thread_leaves(void)
{
	__atomic_add_fetch(&released, 1, __ATOMIC_RELAXED);
}

bool hp_alone(void)
{
	unsigned users = 0;

	for (struct hp_thread *thread = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE); thread; thread = thread->next)
		users += __atomic_load_n(&thread->owner, __ATOMIC_RELAXED) != 0;
	return users <= 1;
}

bool hp_shares_memory(void)
{
	for (struct hp_thread *thread = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE); thread; thread = thread->next)
		if (__atomic_load_n(&thread->owner, __ATOMIC_RELAXED) != 0 &&
		    (thread->flags & (HP_THREAD_SHARED | HP_THREAD_VFORK)) == HP_THREAD_SHARED)
			return true;
	return false;
}

long hp_thread_install(struct hp_thread *thread)
{
	const stack_t signals = { .ss_sp = (char *)thread - HP_STACK_BYTES - HP_SIGNAL_BYTES,
				  .ss_size = HP_SIGNAL_BYTES };
	long failed = hp_syscall2(__NR_arch_prctl, ARCH_SET_GS, (long)thread);

	if (!failed)
		failed = hp_syscall2(__NR_sigaltstack, (long)&signals, 0);
	if (!failed)
		hp_trace_begin_task(thread);
	return failed;
}

long hp_dispatch_arm(void)
{
	/* no selector: everything outside of the shim's own text is dispatched, always */
	return hp_syscall5(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, (long)hp_text_start,
			   hp_text_end - hp_text_start, 0);
}

void hp_threads_after_fork(struct hp_thread *survivor)
{
	if (survivor->actions != &hp_main_actions && survivor->actions != &survivor->own_actions) {
		memcpy(&survivor->own_actions, survivor->actions, sizeof survivor->own_actions);
		survivor->actions = &survivor->own_actions;
	}
	survivor->actions->lock = 0;
	survivor->flags = 0;
	released = 0;
	for (struct hp_thread *thread = blocks; thread; thread = thread->next)
		if (thread != survivor) {
			thread->owner = 0;
			released++;
		}
}

void hp_threads_traced(void)
{
	for (struct hp_thread *thread = blocks; thread; thread = thread->next) {
		thread->program_gs = 0;
		thread->traced = 1;
		thread->exit = (unsigned long)hp_exit_traced;
	}
}

bool hp_on_shim_stack(const struct hp_thread *thread, unsigned long stack)
{
	return stack <= (unsigned long)thread && stack > (unsigned long)thread - HP_STACK_BYTES;
}

bool hp_on_signal_stack(const struct hp_thread *thread, unsigned long stack)
{
	unsigned long top = (unsigned long)thread - HP_STACK_BYTES;

	return stack <= top && stack > top - HP_SIGNAL_BYTES;
}

/* ---- locks: held for a moment, in handlers, where no signal handler runs ---- */

bool hp_lock_try(uint32_t *lock)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(lock, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void hp_lock(uint32_t *lock)
{
	while (!hp_lock_try(lock))
		hp_syscall0(__NR_sched_yield);
}

void hp_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

/* ---- questions of the handlers ---------------------------------------------- */

int hp_in_vfork_child(void)
{
	return (hp_thread()->flags & (HP_THREAD_VFORK | HP_THREAD_SHARED)) != 0;
}

unsigned hp_thread_uncounted(void)
{
	struct hp_thread *thread = hp_thread();
	unsigned count = thread->calls - thread->counted;

	thread->counted = thread->calls;
	return count;
}

unsigned long *hp_thread_words(void)
{
	return hp_thread()->words;
}

void hp_shim_range_add(unsigned long address, unsigned long length)
{
	if (added_count == ADDED_RANGES)
		return;
	added[added_count].start = address;
	added[added_count++].end = address + length;
}

static bool overlap(unsigned long address, unsigned long length, unsigned long start, unsigned long end)
{
	return address < end && address + length > start;
}

int hp_is_shim_range(unsigned long address, unsigned long length)
{
	if (length == 0 || address + length < address)
		return 0;
	hp_text_changed(address, length);
	if (overlap(address, length, (unsigned long)hp_text_start, (unsigned long)hp_image_end))
		return 1;
	for (unsigned i = 0; i < added_count; i++)
		if (overlap(address, length, added[i].start, added[i].end))
			return 1;
	for (struct hp_thread *thread = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE); thread; thread = thread->next)
		if (overlap(address, length, (unsigned long)thread + BLOCK_BYTES - AREA_BYTES,
			    (unsigned long)thread + BLOCK_BYTES))
			return 1;
	return hp_is_trampoline_range(address, length);
}
