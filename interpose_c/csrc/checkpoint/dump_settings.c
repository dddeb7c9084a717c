/* What processes and threads have asked of the kernel once and for all, where it is not what a new one has. */
#include "dump.h"
#include "kernel.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define USUAL_SLACK_NS 50000
#define USUAL_CORE_FILTER 0x33
#define LEAST_MEMORY_SCORE (-1000)

static void write_down(struct hp_dump *dump, pid_t pid, int of, enum hp_image_setting_kind kind, uint64_t value)
{
	struct hp_image_setting setting = { .pid = pid, .of = of, .kind = kind, .value = value };
	hp_write_record(&dump->writer, HP_R_SETTING, &setting, sizeof setting, NULL, 0);
}

static long number_in(pid_t tid, const char *name, int base, long otherwise)
{
	char *text = hp_proc_text(tid, name, NULL);
	long number = text ? strtol(text, NULL, base) : otherwise;
	free(text);
	return number;
}

/* Of what it runs at once, as long as its policy is an ordinary one; 0: as the kernel thinks fit. */
static uint64_t slice_of(pid_t tid)
{
	static uint64_t usual_ns; /* told as a number too: whoever dumps has not asked for another */
	struct hp_kernel_sched own, its;
	if (!usual_ns && syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) == 0)
		usual_ns = own.runtime_ns;
	if (syscall(SYS_sched_getattr, tid, &its, sizeof its, 0) || its.policy > SCHED_BATCH)
		return 0;
	return its.runtime_ns == usual_ns ? 0 : its.runtime_ns;
}

/* Those for which a bit is asked of the process alone. */
static void dump_permissions(struct hp_dump *dump, const struct hp_process *process, struct hp_remote *leader)
{
	const uint64_t ask[6] = { HP_ARCH_GET_XCOMP_PERM, leader->scratch };
	uint64_t may = 0, usual = 0;
	if (hp_remote_ask_bytes(leader, SYS_arch_prctl, ask, &may, sizeof may) == 0 &&
	    syscall(SYS_arch_prctl, HP_ARCH_GET_XCOMP_PERM, &usual) == 0 && may & ~usual)
		write_down(dump, process->pid, process->pid, HP_S_REGISTERS, may & ~usual);
}

static void dump_habits(struct hp_dump *dump, const struct hp_process *process, struct hp_remote *leader)
{
	const uint64_t ask[6] = { PR_GET_TSC, leader->scratch };
	int tsc = 0;
	pid_t pid = process->pid;
	if (hp_remote_ask_bytes(leader, SYS_prctl, ask, &tsc, sizeof tsc) == 0 && tsc == PR_TSC_SIGSEGV)
		write_down(dump, pid, pid, HP_S_NO_TSC, PR_TSC_SIGSEGV);
	long kill = HP_ASK(leader, SYS_prctl, PR_MCE_KILL_GET);
	if (kill >= 0 && kill != PR_MCE_KILL_DEFAULT)
		write_down(dump, pid, pid, HP_S_BAD_MEMORY, (uint64_t)kill);
	if (HP_ASK(leader, SYS_prctl, HP_PR_GET_MEMORY_MERGE) == 1)
		write_down(dump, pid, pid, HP_S_MERGE_MEMORY, 1);
}

void hp_dump_settings(struct hp_dump *dump, struct hp_process *process)
{
	struct hp_remote *leader = &process->tasks[0].remote;
	pid_t pid = process->pid;
	for (unsigned n = 0; n < process->count; n++) {
		pid_t tid = process->tasks[n].tid;
		long slack_ns = number_in(tid, "timerslack_ns", 10, USUAL_SLACK_NS);
		long priority = syscall(SYS_ioprio_get, HP_IOPRIO_OF_PROCESS, tid);
		if (slack_ns != USUAL_SLACK_NS)
			write_down(dump, pid, tid, HP_S_TIMER_SLACK, (uint64_t)slack_ns);
		uint64_t slice_ns = slice_of(tid);
		if (slice_ns)
			write_down(dump, pid, tid, HP_S_SLICE, slice_ns);
		if (priority > 0)
			write_down(dump, pid, tid, HP_S_IO_PRIORITY, (uint64_t)priority);
	}
	dump_permissions(dump, process, leader);
	dump_habits(dump, process, leader);
	if (HP_ASK(leader, SYS_prctl, PR_GET_THP_DISABLE) == 1)
		write_down(dump, pid, pid, HP_S_NO_HUGE_PAGES, 1);
	long bits = HP_ASK(leader, SYS_prctl, HP_PR_GET_MDWE);
	if (bits > 0)
		write_down(dump, pid, pid, HP_S_NO_NEW_CODE, (uint64_t)bits);
	long commands = HP_ASK(leader, SYS_membarrier, HP_MEMBARRIER_GET_REGISTRATIONS);
	if (commands > 0)
		write_down(dump, pid, pid, HP_S_BARRIERS, (uint64_t)commands);
	long score = number_in(pid, "oom_score_adj", 10, 0);
	if (score)
		write_down(dump, pid, pid, HP_S_MEMORY_SCORE, (uint64_t)(score - LEAST_MEMORY_SCORE));
	long filter = number_in(pid, "coredump_filter", 16, USUAL_CORE_FILTER);
	if (filter != USUAL_CORE_FILTER)
		write_down(dump, pid, pid, HP_S_CORE_FILTER, (uint64_t)filter);
}

bool hp_dump_owner(struct hp_dump *dump, pid_t pid, int number, int fd)
{
	struct f_owner_ex owner = { 0 };
	uint64_t value;
	_Static_assert(sizeof owner == sizeof value, "an owner is a value");
	struct stat found;
	if (fcntl(fd, F_GETOWN_EX, &owner) == 0 && owner.pid > 0) {
		if (fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) /* of what nobody tells */
			return hp_refuse("process %d: descriptor %d: changes in its directory may be told by a signal "
					 "(F_NOTIFY)",
					 (int)pid, number);
		memcpy(&value, &owner, sizeof value);
		write_down(dump, pid, number, HP_S_OWNER, value);
	}
	int signal = fcntl(fd, F_GETSIG);
	if (signal > 0)
		write_down(dump, pid, number, HP_S_SIGNAL, (uint64_t)signal);
	int flags = fcntl(fd, F_GETFL);
	if (flags > 0 && flags & O_ASYNC)
		write_down(dump, pid, number, HP_S_ASYNC, (uint64_t)flags);
	return true;
}
