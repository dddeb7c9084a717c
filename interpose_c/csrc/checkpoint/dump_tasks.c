/* What the kernel keeps of a process and its threads, but for memory and descriptors.
 *
 * What ptrace and /proc do not tell, the task asks itself (remote.c); meanwhile its signals
 * are blocked and its system call dispatch is off. From then on our own death would leave it
 * so: it is to end with us (PTRACE_O_EXITKILL).
 */
#include "dump.h"
#include "kernel.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define XSTATE_IN_USE 512   /* XSTATE_BV: Intel SDM 1, 13.4.2 */
#define TILES (1ull << 18)
#define CALLING_PROCESS (-6) /* clock_getcpuclockid(3): of 0 */
#define CALLING_THREAD (-2)
#define CODE_64 0x33
#define PENDING 32

static bool gone(const struct hp_task *task)
{
	return hp_refuse("task %d of process %d ended meanwhile", (int)task->tid, (int)task->pid);
}

static uint64_t find_syscall(const struct hp_process *process, pid_t tid)
{
	for (unsigned n = 0; n < process->mapping_count; n++) {
		const struct hp_mapping *mapping = &process->mappings[n];
		bool ours = !strcmp(mapping->name, HP_LOADER) || !strcmp(mapping->name, "[vdso]");
		uint64_t found =
			ours && mapping->prot & 4 ? hp_remote_find_syscall(tid, mapping->start, mapping->end) : 0;
		if (found)
			return found;
	}
	return 0;
}

/* A thread that has been stopped within a restartable sequence begins it anew, as whenever it has been away: the kernel
 * sees to that when it goes on, unless something else was called in between, which ends the sequence without a word
 * (rseq(2): rseq_cs is taken away outside of it). */
static void leave_sequence(struct hp_task *task)
{
	struct hp_kernel_rseq rseq = { 0 };
	struct hp_kernel_rseq_cs sequence;
	struct user_regs_struct *regs = &task->remote.regs;
	uint64_t at = 0, none = 0;
	if (ptrace(HP_PTRACE_GET_RSEQ, task->tid, sizeof rseq, &rseq) <= 0 || rseq.address == 0 ||
	    hp_remote_read(task->tid, rseq.address + HP_RSEQ_CS, &at, sizeof at) || at == 0 ||
	    hp_remote_read(task->tid, at, &sequence, sizeof sequence) || regs->rip - sequence.start >= sequence.bytes)
		return;
	regs->rip = sequence.abort;
	(void)hp_remote_write(task->tid, rseq.address + HP_RSEQ_CS, &none, sizeof none);
}

static bool quieten(struct hp_task *task)
{
	struct hp_kernel_dispatch off = { 0 };
	task->remote.gently |= hp_due(task->tid).waits;
	uint64_t all = task->remote.gently ? HP_SILENT : HP_QUIET;
	if (ptrace(PTRACE_SETOPTIONS, task->tid, NULL, PTRACE_O_EXITKILL) ||
	    ptrace(PTRACE_GETSIGMASK, task->tid, sizeof task->sigmask, &task->sigmask) ||
	    ptrace(PTRACE_GETREGS, task->tid, NULL, &task->remote.regs))
		return gone(task);
	task->remote.has_regs = true;
	if (task->remote.regs.cs != CODE_64)
		return hp_refuse("process %d runs 32-bit code", (int)task->pid);
	if (ptrace(HP_PTRACE_GET_DISPATCH, task->tid, sizeof task->dispatch, task->dispatch))
		memset(task->dispatch, 0, sizeof task->dispatch); /* a kernel that cannot: nor has anybody asked */
	task->changed = true;
	leave_sequence(task);
	if (ptrace(PTRACE_SETSIGMASK, task->tid, sizeof all, &all) ||
	    (task->dispatch[0] && ptrace(HP_PTRACE_SET_DISPATCH, task->tid, sizeof off, &off)))
		return gone(task);
	return true;
}

bool hp_dump_prepare(struct hp_dump *dump, struct hp_process *process)
{
	(void)dump;
	struct hp_remote *leader = &process->tasks[0].remote;
	uint64_t ignored = 0;
	char *status = hp_proc_text(process->tasks[0].tid, "status", NULL);
	bool gently = status && hp_proc_number(status, "SigIgn", 16, &ignored) && ignored & ~HP_QUIET;
	free(status);
	for (unsigned n = 0; n < process->count; n++) {
		process->tasks[n].remote.tid = process->tasks[n].tid;
		process->tasks[n].remote.gently = gently;
		if (!quieten(&process->tasks[n]))
			return false;
	}
	leader->syscall_at = find_syscall(process, leader->tid);
	if (!leader->syscall_at)
		return hp_refuse("process %d has no code of hpool's in it", (int)process->pid);
	/* PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS */
	long scratch = HP_ASK(leader, SYS_mmap, 0, HP_SCRATCH, 3, 0x22, -1);
	if (scratch < 0 && scratch > -4096)
		return hp_refuse("process %d has no room for %lu bytes: %s", (int)process->pid, HP_SCRATCH,
				 strerror((int)-scratch));
	leader->scratch = (uint64_t)scratch;
	process->hidden = HP_ASK(leader, SYS_prctl, PR_GET_DUMPABLE) != 1;
	if (process->hidden)
		(void)HP_ASK(leader, SYS_prctl, PR_SET_DUMPABLE, 1);
	for (unsigned n = 1; n < process->count; n++) {
		process->tasks[n].remote.syscall_at = leader->syscall_at;
		process->tasks[n].remote.scratch = leader->scratch;
	}
	return true;
}

void hp_dump_release(struct hp_process *process)
{
	if (process->hidden)
		(void)HP_ASK(&process->tasks[0].remote, SYS_prctl, PR_SET_DUMPABLE, 0);
	if (process->count && process->tasks[0].remote.scratch)
		(void)HP_ASK(&process->tasks[0].remote, SYS_munmap, process->tasks[0].remote.scratch, HP_SCRATCH);
	for (unsigned n = 0; n < process->count; n++) {
		struct hp_task *task = &process->tasks[n];
		if (!task->changed)
			continue;
		(void)ptrace(PTRACE_SETREGS, task->tid, NULL, &task->remote.regs);
		(void)ptrace(PTRACE_SETSIGMASK, task->tid, sizeof task->sigmask, &task->sigmask);
		if (task->dispatch[0])
			(void)ptrace(HP_PTRACE_SET_DISPATCH, task->tid, sizeof task->dispatch, task->dispatch);
		(void)ptrace(PTRACE_SETOPTIONS, task->tid, NULL, 0);
		hp_remote_let_go(&task->remote, task->pid);
		task->changed = false;
	}
}

static bool dump_pending(struct hp_dump *dump, struct hp_task *task, bool shared)
{
	siginfo_t infos[PENDING];
	struct __ptrace_peeksiginfo_args what = { .off = 0, .flags = shared, .nr = PENDING };
	for (;;) {
		long count = ptrace(PTRACE_PEEKSIGINFO, task->tid, &what, infos);
		if (count < 0)
			return gone(task);
		if (count == 0)
			return true;
		for (long n = 0; n < count; n++) {
			struct hp_image_signal signal = { .pid = task->pid, .tid = shared ? 0 : task->tid };
			memcpy(signal.info, &infos[n], sizeof signal.info);
			hp_write_record(&dump->writer, HP_R_SIGNAL, &signal, sizeof signal, NULL, 0);
		}
		what.off += (uint64_t)count;
	}
}

static bool dump_thread(struct hp_dump *dump, struct hp_task *task)
{
	static uint8_t xstate[HP_XSTATE_MOST];
	struct hp_image_thread thread = { .pid = task->pid, .tid = task->tid, .sigmask = task->sigmask };
	struct hp_remote *remote = &task->remote;
	struct iovec room = { xstate, sizeof xstate };
	struct hp_kernel_rseq rseq = { 0 };
	struct sched_param sched = { 0 };
	struct {
		uint64_t stack;
		uint32_t flags, pad;
		uint64_t bytes;
	} altstack;
	char name[32];
	_Static_assert(sizeof thread.regs == sizeof remote->regs, "registers");
	memcpy(thread.regs, &remote->regs, sizeof thread.regs);
	memcpy(thread.dispatch, task->dispatch, sizeof thread.dispatch);
	if (ptrace(PTRACE_GETREGSET, task->tid, NT_X86_XSTATE, &room))
		return gone(task);
	thread.xstate_bytes = (uint32_t)room.iov_len;
	uint64_t in_use;
	memcpy(&in_use, xstate + XSTATE_IN_USE, sizeof in_use);
	if (in_use & TILES) /* a thread that has not used any yet cannot be given them */
		return hp_refuse("process %d: thread %d has something in its tiles (AMX)", (int)task->pid,
				 (int)task->tid);
	if (ptrace(HP_PTRACE_GET_RSEQ, task->tid, sizeof rseq, &rseq) > 0) {
		thread.rseq = rseq.address;
		thread.rseq_bytes = rseq.size;
		thread.rseq_signature = rseq.signature;
	}
	if (syscall(SYS_get_robust_list, task->tid, &thread.robust, &thread.robust_bytes))
		return gone(task);
	const uint64_t ask_altstack[6] = { 0, remote->scratch };
	const uint64_t ask_clear[6] = { PR_GET_TID_ADDRESS, remote->scratch };
	const uint64_t ask_death[6] = { PR_GET_PDEATHSIG, remote->scratch };
	if (hp_remote_ask_bytes(remote, SYS_sigaltstack, ask_altstack, &altstack, sizeof altstack) ||
	    hp_remote_ask_bytes(remote, SYS_prctl, ask_clear, &thread.clear_tid, sizeof thread.clear_tid) ||
	    hp_remote_ask_bytes(remote, SYS_prctl, ask_death, &thread.death_signal, sizeof thread.death_signal))
		return gone(task);
	thread.altstack = altstack.stack;
	thread.altstack_bytes = altstack.bytes;
	thread.altstack_flags = altstack.flags & ~1u; /* SS_ONSTACK is where it is, not a setting */
	thread.policy = sched_getscheduler(task->tid);
	sched_getparam(task->tid, &sched);
	thread.priority = sched.sched_priority;
	thread.nice = getpriority(PRIO_PROCESS, (id_t)task->tid);
	sched_getaffinity(task->tid, sizeof thread.affinity, (cpu_set_t *)thread.affinity);
	snprintf(name, sizeof name, "task/%d/comm", (int)task->tid);
	size_t length = 0;
	char *comm = hp_proc_text(task->pid, name, &length);
	if (comm == NULL)
		return gone(task);
	if (length > 15)
		length = comm[15] == '\n' ? 15 : 16;
	memcpy(thread.comm, comm, length > 0 ? length - (comm[length - 1] == '\n') : 0);
	thread.comm[15] = '\0';
	free(comm);
	struct hp_part part = { xstate, room.iov_len };
	hp_write_record(&dump->writer, HP_R_THREAD, &thread, sizeof thread, &part, 1);
	return dump_pending(dump, task, false);
}

static bool dump_actions(struct hp_dump *dump, struct hp_process *process)
{
	struct hp_remote *remote = &process->tasks[0].remote;
	struct hp_image_actions actions = { .pid = process->pid };
	uint64_t caught = 0, ignored = 0;
	char *status = hp_proc_text(process->pid, "status", NULL);
	bool told = status && hp_proc_number(status, "SigCgt", 16, &caught) &&
		    hp_proc_number(status, "SigIgn", 16, &ignored);
	free(status);
	if (!told)
		return gone(process->tasks);
	for (unsigned number = 1; number <= 64; number++) {
		const uint64_t ask[6] = { number, 0, remote->scratch, 8 };
		/* a default with flags: SIGCHLD's SA_NOCLDWAIT counts */
		if (!((caught | ignored) >> (number - 1) & 1) && number != SIGCHLD)
			continue;
		if (hp_remote_ask_bytes(remote, SYS_rt_sigaction, ask, &actions.of[number - 1], sizeof actions.of[0]))
			return gone(process->tasks);
	}
	hp_write_record(&dump->writer, HP_R_ACTIONS, &actions, sizeof actions, NULL, 0);
	return dump_pending(dump, process->tasks, true);
}

static bool dump_timers(struct hp_dump *dump, struct hp_process *process)
{
	struct hp_remote *remote = &process->tasks[0].remote;
	char *text = hp_proc_text(process->pid, "timers", NULL);
	bool fine = true;
	/* a kernel without the file has no processes with timers to restore */
	for (char *at = text; fine && at != NULL && (at = strstr(at, "ID: ")) != NULL; at += 4) {
		struct hp_image_timer timer = { .pid = process->pid };
		struct hp_kernel_itimerspec left;
		char how[16];
		unsigned long value;
		if (at != text && at[-1] != '\n')
			continue; /* ClockID */
		if (sscanf(at, "ID: %d signal: %d/%lx notify: %15[^/]/%*[^.].%d ClockID: %d", &timer.id, &timer.signal,
			   &value, how, &timer.tid, &timer.clock) != 6)
			fine = hp_refuse("a timer of process %d is of a kind that is not known", (int)process->pid);
		const char *target = strstr(at, "notify: ");
		timer.value = value;
		timer.notify = !strcmp(how, "none") ? SIGEV_NONE : !strcmp(how, "signal") ? SIGEV_SIGNAL : SIGEV_THREAD;
		if (timer.notify == SIGEV_SIGNAL && target && strstr(target, "/tid.") &&
		    strstr(target, "/tid.") < strchr(target, '\n'))
			timer.notify = SIGEV_THREAD_ID;
		/* the C library asks for its own clocks by the numbers of whoever calls */
		bool of_thread = timer.clock == CLOCK_THREAD_CPUTIME_ID || timer.clock == CALLING_THREAD;
		if (timer.clock < 0 && timer.clock != CALLING_THREAD && timer.clock != CALLING_PROCESS)
			fine = hp_refuse("process %d has a timer of another's processor time", (int)process->pid);
		else if (of_thread && process->count > 1)
			fine = hp_refuse("process %d has a timer of the processor time of one of its threads",
					 (int)process->pid);
		const uint64_t ask[6] = { (uint64_t)timer.id, remote->scratch };
		if (fine && hp_remote_ask_bytes(remote, SYS_timer_gettime, ask, &left, sizeof left))
			fine = gone(process->tasks);
		if (!fine)
			break;
		timer.interval_ns = left.interval_s * 1000000000 + left.interval_ns;
		timer.left_ns = left.value_s * 1000000000 + left.value_ns;
		hp_write_record(&dump->writer, HP_R_TIMER, &timer, sizeof timer, NULL, 0);
	}
	free(text);
	return fine;
}

static bool describe(struct hp_process *process, struct hp_image_process *to)
{
	static const unsigned fields[11] = { 26, 27, 45, 46, 47, 0, 28, 48, 49, 50, 51 };
	struct hp_remote *remote = &process->tasks[0].remote;
	uint64_t number = 0;
	for (unsigned n = 0; n < 11; n++)
		to->mm[n] = fields[n] ? process->stat.field[fields[n]] : 0;
	to->mm[5] = (uint64_t)HP_ASK(remote, SYS_brk, 0);
	for (unsigned n = 0; n < 16; n++)
		if (prlimit(process->tasks[0].tid, (__rlimit_resource_t)n, NULL, (struct rlimit *)to->rlimit[n]))
			return gone(process->tasks);
	for (unsigned n = 0; n < 3; n++) {
		const uint64_t ask[6] = { n, remote->scratch };
		if (hp_remote_ask_bytes(remote, SYS_getitimer, ask, to->itimer[n], sizeof to->itimer[n]))
			return gone(process->tasks);
	}
	const uint64_t ask_reaper[6] = { PR_GET_CHILD_SUBREAPER, remote->scratch };
	int reaper = 0;
	if (hp_remote_ask_bytes(remote, SYS_prctl, ask_reaper, &reaper, sizeof reaper))
		return gone(process->tasks);
	process->reaps = reaper;
	to->flags |= reaper ? HP_P_SUBREAPER : 0;
	to->flags |= HP_ASK(remote, SYS_arch_prctl, HP_ARCH_GET_CPUID) == 0 ? HP_P_HIDES_CPU : 0;
	to->flags |= process->hidden ? HP_P_NOT_DUMPABLE : 0;
	to->flags |= process->tasks[0].tid != process->pid ? HP_P_LEADER_GONE : 0;
	char *status = hp_proc_text(process->pid, "status", NULL);
	if (status && hp_proc_number(status, "Umask", 8, &number))
		to->umask = (uint32_t)number;
	free(status);
	char *personality = hp_proc_text(process->pid, "personality", NULL);
	to->personality = personality ? (uint32_t)strtoul(personality, NULL, 16) : 0;
	free(personality);
	return true;
}

bool hp_dump_tasks(struct hp_dump *dump, struct hp_process *process)
{
	const struct hp_stat *stat = &process->stat;
	struct hp_image_process record = {
		.pid = process->pid,
		.ppid = stat->ppid,
		.pgid = stat->pgid,
		.sid = stat->sid,
		.state = process->count == 0 ? HP_P_ZOMBIE : HP_P_RUNS,
		.wait_status = (int32_t)stat->field[52],
		.exit_signal = stat->exit_signal,
		.tty_index = stat->tty_nr & 0xff,
		.tty = stat->tty_nr != 0,
		.tty_foreground = stat->tty_foreground,
	};
	char path[64], cwd[4200] = "";
	struct stat found;
	size_t auxv_bytes = 0;
	if (process->count == 0) {
		hp_write_record(&dump->writer, HP_R_PROCESS, &record, sizeof record, NULL, 0);
		return true;
	}
	if (stat->exit_signal != SIGCHLD)
		return hp_refuse(
			"process %d ends with a signal other than SIGCHLD, as clone(2) was told: no process that "
			"has executed a program does",
			(int)process->pid);
	for (unsigned n = 0; n < process->count; n++)
		if (process->tasks[n].stop_signal)
			record.state = HP_P_STOPPED, record.stop_signal = (uint32_t)process->tasks[n].stop_signal;
	if (!describe(process, &record))
		return false;
	snprintf(path, sizeof path, "%d/cwd", (int)process->pid);
	ssize_t length = readlinkat(hp_proc, path, cwd, sizeof cwd - 1);
	if (length <= 0 || fstatat(hp_proc, path, &found, 0))
		return gone(process->tasks);
	if (found.st_nlink == 0)
		record.flags |= HP_P_CWD_GONE;
	char *auxv = hp_proc_text(process->pid, "auxv", &auxv_bytes);
	if (auxv == NULL)
		return gone(process->tasks);
	record.auxv_bytes = (uint32_t)auxv_bytes;
	record.cwd_bytes = (uint32_t)length + 1;
	const struct hp_part parts[] = { { auxv, auxv_bytes }, { cwd, (size_t)length + 1 } };
	hp_write_record(&dump->writer, HP_R_PROCESS, &record, sizeof record, parts, 2);
	free(auxv);
	for (unsigned n = 0; n < process->count; n++)
		if (!dump_thread(dump, &process->tasks[n]))
			return false;
	hp_dump_settings(dump, process);
	return dump_actions(dump, process) && dump_timers(dump, process);
}
