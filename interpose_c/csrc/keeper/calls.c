/* A task stopped at a system call: led into the shim, or let go, or answered.
 *
 * One stop for each call and nothing waited for: what the call needs is done by
 * the task itself, in the shim, as in the other front end. Nothing that is read
 * from a task is believed. It decides where that task goes on in its own memory,
 * and what rules it puts itself under.
 */
#include "tracer.h"

#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define SKIP (~0ull) /* orig_rax: no call is made */
#define SYS_USER_DISPATCH_BLOCK 1

/* Which numbers lead into the shim: those that have a handler there. */
#define HP_NATIVE false
#define HP_ERRNO(name) true
#define HP_HANDLED_NATIVE(handler) false
#define HP_HANDLED_FAULT(handler) true
#define HP_HANDLED_NOTE(handler) true
#define HP_HANDLED_CHANGE(handler) true
#define HP_HANDLED_PROCESS(handler) true
#define HP_HANDLED_SIGNAL(handler) true
#define HP_HANDLED_REFUSE(handler) true
#define HP_CALL(number, name, route, handler, arguments, note) [number] = HP_HANDLED_##route(handler),
static const bool handled[HP_VERDICT_CALL] = {
#include "../syscalls.def"
};

static bool in_shim(const struct hp_task *task, uint64_t address)
{
	return address >= task->text_start && address <= task->text_end;
}

static long read_from(const struct hp_task *task, uint64_t address, void *to, size_t length)
{
	struct iovec ours = { to, length }, theirs = { (void *)address, length };
	ssize_t got = process_vm_readv(task->tid, &ours, 1, &theirs, 1, 0);
	return got == (ssize_t)length ? 0 : -EFAULT;
}

static void reply(struct user_regs_struct *regs, long value)
{
	regs->orig_rax = SKIP;
	regs->rax = (unsigned long long)value;
}

/* As a jump from a rewritten site would: rcx is where it goes on. */
static void lead_in(const struct hp_task *task, struct user_regs_struct *regs, uint64_t number)
{
	regs->rcx = regs->rip;
	regs->r11 = regs->gs_base == task->block ? 0 : regs->gs_base;
	regs->rip = task->entry;
	regs->gs_base = task->block;
	regs->rax = number;
	regs->orig_rax = SKIP;
}

/* ---- words of the shim's ----------------------------------------------------------- */

static void share_rules(struct hp_task *other, void *with)
{
	const struct hp_task *task = with;
	if (other == task || hp_process_of(other->tid) != task->process)
		return;
	struct hp_rules *old = other->rules;
	other->rules = hp_rules_hold(task->rules);
	hp_rules_release(old);
}

static long adopt(struct hp_task *task, struct hp_rules *rules)
{
	bool are_first = task->rules == NULL && !task->dispatch.on;
	if (rules == NULL)
		return -errno;
	hp_rules_release(task->rules);
	task->rules = rules;
	return are_first;
}

static long add_rules(struct hp_task *task, uint64_t address, uint64_t flags)
{
	struct sock_filter code[BPF_MAXINSNS];
	struct {
		uint16_t length;
		uint64_t code;
	} program;
	if (read_from(task, address, &program, sizeof program))
		return -EFAULT;
	if (program.length == 0 || program.length > BPF_MAXINSNS)
		return -EINVAL;
	if (read_from(task, program.code, code, program.length * sizeof *code))
		return -EFAULT;
	long answer = adopt(task, hp_rules_add(task->rules, code, program.length));
	if (answer >= 0 && flags & SECCOMP_FILTER_FLAG_TSYNC) {
		task->process = hp_process_of(task->tid);
		hp_tasks_each(share_rules, task);
	}
	return answer;
}

static long set_dispatch(struct hp_task *task, const struct user_regs_struct *regs)
{
	bool were_none = task->rules == NULL && !task->dispatch.on;
	if (regs->rsi > 1)
		return -EINVAL;
	if (regs->rsi == 0) {
		if (regs->rdx || regs->r10 || regs->r8)
			return -EINVAL;
		task->dispatch = (struct hp_own_dispatch){ .on = false };
		return 0;
	}
	if (regs->rdx && regs->rdx + regs->r10 <= regs->rdx)
		return -EINVAL;
	task->dispatch = (struct hp_own_dispatch){ true, regs->rdx, regs->r10, regs->r8 };
	return were_none;
}

static long obey(struct hp_task *task, const struct user_regs_struct *regs)
{
	switch (regs->rdi) {
	case HP_TRACE_HERE:
		task->text_start = regs->rsi;
		task->text_end = regs->rdx;
		task->entry = regs->r10;
		task->block = regs->r8;
		return 0;
	case HP_TRACE_HOLD:
		return hp_hold_others(task);
	case HP_TRACE_TAKE:
		return hp_take_others(task);
	case HP_TRACE_RULES:
		return add_rules(task, regs->rsi, regs->rdx);
	case HP_TRACE_STRICT:
		return adopt(task, hp_rules_add_strict(task->rules));
	case HP_TRACE_DISPATCH:
		return set_dispatch(task, regs);
	case HP_TRACE_VERDICT:
		return (long)task->verdict;
	case HP_TRACE_NUMBER:
		return (long)task->number;
	case HP_TRACE_ADDRESS:
		return (long)task->address;
	default:
		return -ENOSYS;
	}
}

/* ---- the program's own rules -------------------------------------------------------- */

static bool is_dispatched(const struct hp_task *task, uint64_t address)
{
	const struct hp_own_dispatch *own = &task->dispatch;
	uint8_t selector = SYS_USER_DISPATCH_BLOCK;
	if (!own->on || address - own->start < own->length)
		return false;
	if (own->selector && read_from(task, own->selector, &selector, sizeof selector))
		return true;
	return selector != 0;
}

static void decide_against(struct hp_task *task, struct user_regs_struct *regs, uint64_t verdict)
{
	task->verdict = verdict;
	task->number = (uint32_t)regs->orig_rax;
	task->address = regs->rip;
	lead_in(task, regs, HP_VERDICT_CALL);
}

/* false: it was decided against. */
static bool may(struct hp_task *task, struct user_regs_struct *regs)
{
	struct seccomp_data call = {
		.nr = (int)regs->orig_rax,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = regs->rip,
		.args = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 },
	};
	if (is_dispatched(task, regs->rip)) {
		decide_against(task, regs, HP_VERDICT_DISPATCHED);
		return false;
	}
	if (task->rules == NULL)
		return true;
	uint32_t verdict = hp_rules_judge(task->rules, &call);
	uint32_t data = verdict & SECCOMP_RET_DATA;
	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return true;
	case SECCOMP_RET_ERRNO:
		reply(regs, -(long)(data > 4095 ? 4095 : data));
		return false;
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF: /* nobody listens */
		reply(regs, -ENOSYS);
		return false;
	case HP_STRICT_KILLS:
		kill(task->tid, SIGKILL);
		reply(regs, -ENOSYS);
		return false;
	default:
		decide_against(task, regs, verdict);
		return false;
	}
}

/* ---- the stop --------------------------------------------------------------------------- */

/* true: the registers changed. */
static bool look(struct hp_task *task, struct user_regs_struct *regs)
{
	uint32_t number = (uint32_t)regs->orig_rax;
	if (number == HP_TRACE_CALL) {
		/* the first word tells where the shim's text is */
		if (regs->rdi == HP_TRACE_HERE && !task->entry)
			task->text_start = regs->rsi, task->text_end = regs->rdx;
		if (!in_shim(task, regs->rip))
			return false; /* the program's: ENOSYS, as on any kernel */
		reply(regs, obey(task, regs));
		return true;
	}
	if ((task->rules || task->dispatch.on) && !may(task, regs))
		return true;
	if (number >= HP_VERDICT_CALL || !handled[number])
		return false;
	if (task->entry)
		lead_in(task, regs, number);
	else
		reply(regs, -ENOSYS); /* who has not said where the shim is has none */
	return true;
}

void hp_call_stopped(struct hp_task *task)
{
	struct user_regs_struct regs;
	if (ptrace(PTRACE_GETREGS, task->tid, NULL, &regs))
		return; /* killed meanwhile */
	if (look(task, &regs))
		(void)ptrace(PTRACE_SETREGS, task->tid, NULL, &regs);
}
