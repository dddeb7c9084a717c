/* What a process tells of itself before it dies of a fault: registers, the last
 * calls of the thread, its mappings, the top of its stack.
 *
 * Owns: gathering that, on the signal stack, with everything blocked. Leaves to
 * others: the way out (hp_crash_piece), the default action (deliver.c), reading
 * it (`hpool report`). The process may be broken in any way: nothing of its
 * memory is touched but by calls that give an error.
 */
#include <linux/fcntl.h>
#include <linux/prctl.h>

#include "signals.h"

#define STACK_BYTES (48u << 10)
#define RED_ZONE 128u
#define STACK_GUARD (16u << 10)
#define PIECE (8u << 10)
#define MAPS_MOST (256u << 10)

struct hp_iovec {
	unsigned long base, length;
};

static void gather_registers(struct hp_crash *crash, const struct sigcontext *regs)
{
	const uint64_t all[] = { regs->rax, regs->rbx, regs->rcx, regs->rdx, regs->rsi, regs->rdi,
				 regs->rbp, regs->rsp, regs->r8,  regs->r9,  regs->r10, regs->r11,
				 regs->r12, regs->r13, regs->r14, regs->r15, regs->rip, regs->eflags };

	memcpy(crash->regs, all, sizeof all);
	crash->trap = regs->trapno;
	crash->error = regs->err;
}

static void gather_calls(struct hp_crash *crash, const struct hp_thread *thread)
{
	for (unsigned i = 0; i < HP_RECORDED; i++) {
		int32_t number = (int32_t)(thread->calls - HP_RECORDED + 1 + i); /* the first call is number 1 */

		crash->last[i] = thread->recorded[(uint32_t)number % HP_RECORDED];
		if (number < 1)
			crash->last[i].nr = ~0u;
	}
}

static void tell_maps(char *room)
{
	long fd = hp_syscall4(__NR_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0), length;
	unsigned told = 0;

	if (fd < 0)
		return;
	while (told < MAPS_MOST && (length = hp_syscall3(__NR_read, fd, (long)room, PIECE)) > 0) {
		if (!hp_crash_piece(HP_CRASH_MAPS, room, (uint32_t)length))
			break;
		told += (unsigned)length;
	}
	hp_syscall1(__NR_close, fd);
}

/* By the kernel, page by page: where the stack ends is not known, and SIGSEGV is blocked. */
static void tell_stack(char *room, unsigned long from)
{
	long pid = hp_syscall0(__NR_getpid);

	for (unsigned told = 0; told < STACK_BYTES;) {
		unsigned long at = from + told, piece = PIECE - at % HP_PAGE;
		struct hp_iovec local = { (unsigned long)room, piece }, remote[2];
		long length;

		remote[0] = (struct hp_iovec){ at, HP_PAGE - at % HP_PAGE };
		remote[1] = (struct hp_iovec){ at + remote[0].length, piece - remote[0].length };
		length = hp_syscall6(__NR_process_vm_readv, pid, (long)&local, 1, (long)remote, 2, 0);
		if (length <= 0 && told < STACK_GUARD) { /* an overflow: the stack begins above */
			piece = HP_PAGE - at % HP_PAGE;
			length = (long)piece;
			memset(room, 0, (size_t)length);
		}
		if (length <= 0 || !hp_crash_piece(HP_CRASH_STACK, room, (uint32_t)length))
			return;
		told += (unsigned)length;
		if ((unsigned long)length < piece)
			return;
	}
}

void hp_crash_tell(int sig, const struct hp_siginfo *info, const void *ucontext)
{
	const struct sigcontext *regs = &((const struct ucontext *)ucontext)->uc_mcontext;
	struct hp_thread *thread = hp_thread();
	_Alignas(16) char room[PIECE];
	struct hp_crash *crash = (struct hp_crash *)room;

	memset(crash, 0, sizeof *crash);
	crash->signal = sig;
	crash->code = info->code;
	crash->pid = (int32_t)hp_syscall0(__NR_getpid);
	crash->tid = (int32_t)hp_syscall0(__NR_gettid);
	memcpy(&crash->address, info->rest, sizeof crash->address);
	crash->in_shim = info->code > 0 && hp_on_shim_stack(thread, regs->rsp);
	hp_syscall2(__NR_prctl, PR_GET_NAME, (long)crash->name);
	gather_registers(crash, regs);
	gather_calls(crash, thread);
	if (!hp_crash_piece(HP_CRASH_HEAD, crash, sizeof *crash))
		return;
	if (!thread->actions->filtered) {
		unsigned long stack = regs->rsp - RED_ZONE;

		tell_maps(room);
		tell_stack(room, stack);
	}
	hp_crash_piece(HP_CRASH_END, room, 0);
}
