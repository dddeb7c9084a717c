/* System calls made by a stopped task, and its memory.
 *
 * The task's instruction pointer is put on a `syscall` instruction that it has anyway, one
 * step, and its registers are put back by whoever began. No code of ours enters it.
 */
#include "checkpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

int hp_remote_wait(pid_t tid)
{
	int status;
	pid_t found;
	do
		found = waitpid(tid, &status, __WALL);
	while (found < 0 && errno == EINTR);
	return found < 0 ? -errno : status;
}

long hp_remote_call(struct hp_remote *task, long nr, const uint64_t arg[6])
{
	struct user_regs_struct regs;
	if (!task->has_regs) {
		if (ptrace(PTRACE_GETREGS, task->tid, NULL, &task->regs))
			return -ESRCH;
		task->has_regs = true;
	}
	regs = task->regs;
	regs.rip = task->syscall_at;
	regs.rax = (unsigned long)nr;
	regs.orig_rax = ~0ul; /* whatever call was interrupted is not restarted now */
	regs.rdi = arg[0];
	regs.rsi = arg[1];
	regs.rdx = arg[2];
	regs.r10 = arg[3];
	regs.r8 = arg[4];
	regs.r9 = arg[5];
	regs.eflags &= ~0x100ul;
	if (ptrace(PTRACE_SETREGS, task->tid, NULL, &regs))
		return -ESRCH;
	for (unsigned stops = task->gently ? 2 : 1; stops;) {
		if (ptrace(task->gently ? PTRACE_SYSCALL : PTRACE_SINGLESTEP, task->tid, NULL, NULL))
			return -ESRCH;
		int status = hp_remote_wait(task->tid);
		if (status < 0 || !WIFSTOPPED(status))
			return -ESRCH;
		if (status >> 8 == SIGTRAP) {
			stops--;
			continue;
		}
		/* A stop for an event (a thread was made), or one that was asked for before, is on the way to
		 * the end of the call. */
		if (status >> 16 == PTRACE_EVENT_STOP)
			continue;
		if (WSTOPSIG(status) == SIGTRAP)
			continue;
		siginfo_t info;
		if (ptrace(PTRACE_GETSIGINFO, task->tid, NULL, &info) || info.si_code > 0) {
			hp_refuse("task %d was stopped by signal %d (%d, at %#llx) instead of system call %ld",
				  (int)task->tid, WSTOPSIG(status), info.si_code, (unsigned long long)task->syscall_at,
				  nr);
			return -EPROTO;
		}
		task->late |= 1ull << (WSTOPSIG(status) - 1);
	}
	if (ptrace(PTRACE_GETREGS, task->tid, NULL, &regs))
		return -ESRCH;
	return (long)regs.rax;
}

void hp_remote_let_go(const struct hp_remote *task, pid_t pid)
{
	for (int number = 1; number <= 64; number++)
		if (task->late >> (number - 1) & 1)
			(void)syscall(SYS_tgkill, pid, task->tid, number);
}

int hp_remote_read(pid_t tid, uint64_t address, void *to, size_t length)
{
	struct iovec ours = { to, length }, theirs = { (void *)address, length };
	return process_vm_readv(tid, &ours, 1, &theirs, 1, 0) == (ssize_t)length ? 0 : -EFAULT;
}

int hp_remote_write(pid_t tid, uint64_t address, const void *from, size_t length)
{
	struct iovec ours = { (void *)from, length }, theirs = { (void *)address, length };
	return process_vm_writev(tid, &ours, 1, &theirs, 1, 0) == (ssize_t)length ? 0 : -EFAULT;
}

long hp_remote_ask_bytes(struct hp_remote *task, long nr, const uint64_t arg[6], void *to, size_t length)
{
	long result = hp_remote_call(task, nr, arg);
	if (result >= 0 && hp_remote_read(task->tid, task->scratch, to, length))
		return -EFAULT;
	return result;
}

uint64_t hp_remote_find_syscall(pid_t tid, uint64_t start, uint64_t end)
{
	static uint8_t text[1 << 16];
	while (start < end) {
		size_t part = end - start < sizeof text ? end - start : sizeof text;
		if (hp_remote_read(tid, start, text, part))
			return 0;
		const uint8_t *found = memmem(text, part, "\x0f\x05", 2);
		if (found)
			return start + (uint64_t)(found - text);
		start += part;
	}
	return 0;
}
