/* Threads, signals, timers, limits: what the kernel keeps of a process. */
#include "restore.h"
#include "kernel.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define TIMERS_MOST 65536
/* results of a call that a stop interrupted: it is made again */
#define RESTARTS(result) ((result) == -512 || (result) == -513 || (result) == -514 || (result) == -516)

static bool failed(const struct hp_restored *to, const char *what, long error)
{
	return hp_refuse("process %d: %s: %s", (int)to->process->pid, what, strerror((int)-error));
}

static long tell(struct hp_remote *task, const void *bytes, size_t length)
{
	return hp_remote_write(task->tid, task->scratch, bytes, length);
}

/* ---- threads ----------------------------------------------------------------------------- */

static bool make_thread(struct hp_restored *to, struct hp_remote *thread, const struct hp_image_thread *state)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%d", state->tid - 1);
	uint64_t quiet = HP_QUIET;
	if (pwrite(to->last_pid, text, (size_t)length, 0) != length)
		return failed(to, "choosing a thread's number", -errno);
	long tid = HP_ASK(&to->leader, SYS_clone, THREAD, to->leader.scratch + HP_SCRATCH - 64);
	if (tid != state->tid)
		return failed(to, "making a thread", tid < 0 ? tid : -EEXIST);
	int status = hp_remote_wait((pid_t)tid);
	if (status < 0 || !WIFSTOPPED(status))
		return failed(to, "a new thread", status < 0 ? status : -ESRCH);
	*thread = (struct hp_remote){ .tid = (pid_t)tid,
				      .syscall_at = to->leader.syscall_at,
				      .scratch = to->leader.scratch };
	return ptrace(PTRACE_SETSIGMASK, tid, sizeof quiet, &quiet) == 0 || failed(to, "a new thread", -errno);
}

static bool settle_thread(struct hp_restored *to, struct hp_remote *thread, const struct hp_image_thread *state)
{
	struct {
		uint64_t stack;
		uint32_t flags, pad;
		uint64_t bytes;
	} altstack = { state->altstack, state->altstack_bytes ? state->altstack_flags : 2 /* SS_DISABLE */, 0,
		       state->altstack_bytes };
	struct sched_param sched = { state->priority };
	long error = HP_ASK(thread, SYS_set_tid_address, state->clear_tid) < 0;
	if (!error && state->robust)
		error = HP_ASK(thread, SYS_set_robust_list, state->robust, state->robust_bytes);
	if (!error && state->rseq)
		error = HP_ASK(thread, SYS_rseq, state->rseq, state->rseq_bytes, 0, state->rseq_signature);
	if (!error)
		error = tell(thread, &altstack, sizeof altstack);
	if (!error)
		error = HP_ASK(thread, SYS_sigaltstack, thread->scratch, 0);
	if (!error)
		error = tell(thread, state->comm, sizeof state->comm);
	if (!error)
		error = HP_ASK(thread, SYS_prctl, PR_SET_NAME, thread->scratch);
	if (!error && state->death_signal)
		error = HP_ASK(thread, SYS_prctl, PR_SET_PDEATHSIG, state->death_signal);
	if (error)
		return failed(to, "the state of a thread", error);
	if (to->process->flags & HP_P_HIDES_CPU)
		error = HP_ASK(thread, SYS_arch_prctl, HP_ARCH_SET_CPUID, 0);
	if (error)
		return failed(to, "this processor cannot hide what it has (--cpu-level)", error);
	/* as far as this machine has those processors and allows that */
	(void)sched_setaffinity(thread->tid, sizeof state->affinity, (const cpu_set_t *)state->affinity);
	if (state->policy != SCHED_OTHER)
		(void)sched_setscheduler(thread->tid, state->policy, &sched);
	if (state->nice)
		(void)setpriority(PRIO_PROCESS, (id_t)thread->tid, state->nice);
	return true;
}

bool hp_restore_threads(struct hp_restored *to)
{
	for (unsigned n = 0; n < to->count; n++) {
		if (n > 0 && !make_thread(to, &to->threads[n], to->states[n]))
			return false;
		if (n == 0)
			to->threads[0] = to->leader;
		if (!settle_thread(to, &to->threads[n], to->states[n]))
			return false;
	}
	return true;
}

/* ---- the process ----------------------------------------------------------------------------- */

static bool set_timers(struct hp_restored *to)
{
	struct hp_remote *leader = &to->leader;
	int next = -1;
	bool exact = HP_ASK(leader, SYS_prctl, HP_PR_TIMER_CREATE_RESTORE_IDS, 1) == 0;
	HP_EACH(to->image, hp_image_timer, HP_R_TIMER, timer)
	{
		struct {
			struct {
				uint64_t value;
				int32_t signal, notify, tid, pad[11];
			} event;
			int32_t id, pad;
			struct hp_kernel_itimerspec left;
		} ask = { .event = { timer->value, timer->signal, timer->notify, timer->tid, { 0 } }, .id = timer->id };
		if (timer->pid != to->process->pid)
			continue;
		uint64_t at = leader->scratch, id_at = at + offsetof(__typeof__(ask), id);
		ask.left =
			(struct hp_kernel_itimerspec){ timer->interval_ns / 1000000000, timer->interval_ns % 1000000000,
						       timer->left_ns / 1000000000, timer->left_ns % 1000000000 };
		if (timer->id < 0 || timer->id >= TIMERS_MOST || tell(leader, &ask, sizeof ask))
			return failed(to, "a timer", -EINVAL);
		for (int32_t made = -1; made != timer->id;) {
			long error = HP_ASK(leader, SYS_timer_create, timer->clock, at, id_at);
			if (!error && hp_remote_read(leader->tid, id_at, &made, sizeof made))
				error = -EFAULT;
			if (!error && made != timer->id && (exact || made > timer->id || made <= next))
				error = -EEXIST;
			if (error)
				return failed(to, "a timer", error);
			next = made;
			if (made != timer->id)
				(void)HP_ASK(leader, SYS_timer_delete, made);
		}
		long error = timer->left_ns ? HP_ASK(leader, SYS_timer_settime, timer->id, 0,
						     at + offsetof(__typeof__(ask), left), 0) :
					      0;
		if (error)
			return failed(to, "a timer", error);
	}
	(void)HP_ASK(leader, SYS_prctl, HP_PR_TIMER_CREATE_RESTORE_IDS, 0);
	return true;
}

static bool set_actions(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_actions, HP_R_ACTIONS, actions)
	{
		if (actions->pid != to->process->pid)
			continue;
		for (unsigned number = 1; number <= 64; number++) {
			const uint64_t *action = (const uint64_t *)&actions->of[number - 1];
			if (!(action[0] | action[1] | action[2] | action[3]))
				continue;
			if (number == SIGTRAP && action[0] == (uintptr_t)SIG_IGN)
				to->leader.gently = to->threads[0].gently = true;
			long error = tell(&to->leader, action, sizeof actions->of[0]);
			if (!error)
				error = HP_ASK(&to->leader, SYS_rt_sigaction, number, to->leader.scratch, 0, 8);
			if (error)
				return failed(to, "a signal's action", error);
		}
	}
	return true;
}

static bool set_descriptor_flags(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_fd, HP_R_FD, fd)
	if (fd->pid == to->process->pid && fd->cloexec && HP_ASK(&to->leader, SYS_fcntl, fd->fd, F_SETFD, FD_CLOEXEC))
		return failed(to, "a descriptor", -EBADF);
	return HP_ASK(&to->leader, SYS_close_range, to->image->high, ~0u, 0) == 0 ||
	       failed(to, "closing descriptors", -EBADF);
}

/* Those of fcntl are a process's, and end when it closes any descriptor of the file: so when that is over. */
static bool take_locks(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_lock, HP_R_LOCK, lock)
	{
		struct flock range = { .l_type = lock->exclusive ? F_WRLCK : F_RDLCK,
				       .l_start = lock->first,
				       .l_len = lock->last < 0 ? 0 : lock->last - lock->first + 1 };
		if (lock->pid != to->process->pid || lock->kind != HP_L_POSIX)
			continue;
		long error = tell(&to->leader, &range, sizeof range);
		if (!error)
			error = HP_ASK(&to->leader, SYS_fcntl, lock->fd, F_SETLK, to->leader.scratch);
		if (error)
			return failed(to, "taking a lock again", error);
	}
	return true;
}

/* Never above what this machine allows. */
static void set_limits(struct hp_restored *to)
{
	for (unsigned n = 0; n < 16; n++) {
		struct rlimit now, want = { to->process->rlimit[n][0], to->process->rlimit[n][1] };
		if (prlimit(to->process->pid, (__rlimit_resource_t)n, NULL, &now))
			continue;
		if (want.rlim_max > now.rlim_max)
			want.rlim_max = now.rlim_max;
		if (want.rlim_cur > want.rlim_max)
			want.rlim_cur = want.rlim_max;
		(void)prlimit(to->process->pid, (__rlimit_resource_t)n, &want, NULL);
	}
}

bool hp_restore_process(struct hp_restored *to)
{
	struct hp_remote *leader = &to->leader;
	if (!hp_restore_proc(to) || !set_descriptor_flags(to) || !hp_restore_notices(to) || !hp_restore_terminals(to) ||
	    !hp_restore_settings(to) || !take_locks(to) || !set_actions(to) || !set_timers(to))
		return false;
	for (unsigned n = 0; n < 3; n++) {
		const uint64_t *timer = to->process->itimer[n];
		if (!(timer[2] | timer[3]))
			continue;
		if (tell(leader, timer, 32) || HP_ASK(leader, SYS_setitimer, n, leader->scratch, 0))
			return failed(to, "an interval timer", -EINVAL);
	}
	if (to->process->flags & HP_P_NOT_DUMPABLE)
		(void)HP_ASK(leader, SYS_prctl, PR_SET_DUMPABLE, 0);
	set_limits(to);
	return true;
}

/* Each by itself: only so may it say that the kernel or another process sent it. From the first on there are
 * no steps any more, whose end would let some of them through (due.c). */
bool hp_restore_signals(struct hp_restored *to)
{
	const uint64_t silent = HP_SILENT;
	for (unsigned n = 0; n < to->count; n++) {
		to->threads[n].gently = true;
		if (ptrace(PTRACE_SETSIGMASK, to->threads[n].tid, sizeof silent, &silent))
			return failed(to, "a mask of signals", -errno);
	}
	to->leader.gently = true;
	HP_EACH(to->image, hp_image_signal, HP_R_SIGNAL, signal)
	{
		int32_t number;
		struct hp_remote *task = &to->threads[0];
		if (signal->pid != to->process->pid)
			continue;
		for (unsigned n = 0; n < to->count; n++)
			if (signal->tid == to->threads[n].tid)
				task = &to->threads[n];
		memcpy(&number, signal->info, sizeof number);
		long error = tell(task, signal->info, sizeof signal->info);
		if (!error && signal->tid)
			error = HP_ASK(task, SYS_rt_tgsigqueueinfo, signal->pid, signal->tid, number, task->scratch);
		else if (!error)
			error = HP_ASK(task, SYS_rt_sigqueueinfo, signal->pid, number, task->scratch);
		if (error)
			return failed(to, "a pending signal", error);
	}
	return true;
}

/* ---- the end ------------------------------------------------------------------------------------ */

static bool set_registers(struct hp_restored *to, struct hp_remote *thread, const struct hp_image_thread *state)
{
	struct user_regs_struct regs;
	struct iovec xstate = { (void *)(state + 1), state->xstate_bytes };
	memcpy(&regs, state->regs, sizeof regs);
	if ((long)regs.orig_rax >= 0 && RESTARTS((long)regs.rax)) {
		regs.rax = regs.orig_rax;
		regs.rip -= 2;
	}
	regs.orig_rax = ~0ull;
	regs.cs = to->leader.regs.cs;
	regs.ss = to->leader.regs.ss;
	regs.ds = to->leader.regs.ds;
	regs.es = to->leader.regs.es;
	regs.fs = to->leader.regs.fs;
	regs.gs = to->leader.regs.gs;
	if ((state->xstate_bytes && ptrace(PTRACE_SETREGSET, thread->tid, NT_X86_XSTATE, &xstate)) ||
	    ptrace(PTRACE_SETREGS, thread->tid, NULL, &regs) ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof state->sigmask, &state->sigmask) ||
	    (state->dispatch[0] &&
	     ptrace(HP_PTRACE_SET_DISPATCH, thread->tid, sizeof state->dispatch, state->dispatch)))
		return failed(to, "registers", -errno);
	return true;
}

bool hp_restore_finish(struct hp_restored *to)
{
	if (HP_ASK(&to->leader, SYS_munmap, to->leader.scratch, HP_SCRATCH))
		return failed(to, "scratch", -EINVAL);
	for (unsigned n = 0; n < to->count; n++)
		if (!set_registers(to, &to->threads[n], to->states[n]))
			return false;
	return true;
}
