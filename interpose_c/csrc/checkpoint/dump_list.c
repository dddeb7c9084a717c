/* Which processes there are, and what of them can be seen before any is asked.
 *
 * Owns: the list, parents first; who lives in a way that cannot be made again. Leaves to others:
 * stopping them (freeze.c).
 */
#include "dump.h"
#include "births.h"
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

struct hp_process *hp_dump_process(struct hp_dump *dump, pid_t pid)
{
	for (unsigned n = 0; n < dump->count; n++)
		if (dump->processes[n].pid == pid)
			return &dump->processes[n];
	return NULL;
}

/* Zombies have no tasks that could be stopped, but somebody may wait for them. */
bool hp_dump_list(struct hp_dump *dump)
{
	pid_t *pids;
	int count = hp_proc_list(".", &pids);
	if (count < 0)
		return hp_refuse("the job's processes cannot be listed");
	dump->processes = calloc((size_t)count + 1, sizeof *dump->processes);
	for (int n = 0; n < count && dump->processes; n++) {
		struct hp_process process = { .pid = pids[n], .pidfd = -1 };
		for (unsigned t = 0; t < dump->frozen.count; t++)
			if (dump->frozen.tasks[t].pid == pids[n] && process.count++ == 0)
				process.tasks = &dump->frozen.tasks[t];
		if (hp_proc_stat(pids[n], 0, &process.stat) || pids[n] == 1 || pids[n] == getpid())
			continue;
		if (process.count == 0 && process.stat.state != 'Z')
			continue; /* the keeper's own */
		if (process.count == 0 && process.stat.ppid == 1)
			continue; /* nobody of the job will ask for it */
		dump->processes[dump->count++] = process;
	}
	free(pids);
	if (dump->processes == NULL || dump->count == 0)
		return hp_refuse("the job has no processes");
	/* parents first */
	for (unsigned n = 0; n < dump->count; n++)
		for (unsigned later = n + 1; later < dump->count; later++)
			if (dump->processes[later].pid == dump->processes[n].stat.ppid) {
				struct hp_process moved = dump->processes[n];
				dump->processes[n] = dump->processes[later];
				dump->processes[later] = moved;
				n--;
				break;
			}
	return true;
}

static bool shares(const struct hp_process *one, const struct hp_process *other, int kind)
{
	return one->count && other->count && syscall(SYS_kcmp, one->tasks[0].tid, other->tasks[0].tid, kind, 0, 0) == 0;
}

bool hp_dump_shares_memory(const struct hp_dump *dump, const struct hp_process *process)
{
	for (unsigned n = 0; n < dump->count; n++)
		if (&dump->processes[n] != process && shares(process, &dump->processes[n], HP_KCMP_VM))
			return true;
	return false;
}

/* Two processes with one memory, one table of descriptors: a vfork child is waited for by
 * freeze.c; who lives so cannot be made again. */
bool hp_dump_check_sharing(struct hp_dump *dump)
{
	static const int kinds[] = { HP_KCMP_VM, HP_KCMP_FILES, HP_KCMP_FS, HP_KCMP_SIGHAND };
	for (unsigned n = 0; n < dump->frozen.count; n++) {
		const struct hp_task *task = &dump->frozen.tasks[n];
		if (task->tid != task->pid && (syscall(SYS_kcmp, task->pid, task->tid, HP_KCMP_FILES, 0, 0) ||
					       syscall(SYS_kcmp, task->pid, task->tid, HP_KCMP_FS, 0, 0)))
			return hp_refuse("thread %d of process %d has a directory or descriptors of its own",
					 (int)task->tid, (int)task->pid);
	}
	for (unsigned n = 0; n < dump->count; n++)
		for (unsigned other = 0; other < n; other++)
			for (unsigned k = 0; k < 4; k++)
				if (shares(&dump->processes[n], &dump->processes[other], kinds[k]))
					return hp_refuse("processes %d and %d share memory, descriptors or handlers",
							 (int)dump->processes[n].pid, (int)dump->processes[other].pid);
	return true;
}

bool hp_dump_check_births(const struct hp_dump *dump)
{
	struct hp_birth *births = calloc(dump->count, sizeof *births);
	if (births == NULL)
		return hp_refuse("no memory");
	for (unsigned n = 0; n < dump->count; n++) {
		const struct hp_process *process = &dump->processes[n];
		births[n] = (struct hp_birth){ .pid = process->pid,
					       .ppid = process->stat.ppid,
					       .sid = process->stat.sid,
					       .reaps = process->reaps };
	}
	pid_t stray = hp_births_plan(births, dump->count);
	free(births);
	return stray == 0 ||
	       hp_refuse("process %d is in a session in which its parent cannot make it again", (int)stray);
}

/* A filter of the program's own cannot be read without privilege: nothing to put back. */
bool hp_dump_check_filters(struct hp_process *process)
{
	uint64_t mine = 0, theirs = 0, mode_mine = 0, mode_theirs = 0;
	char *ours = hp_proc_text(1, "status", NULL);
	bool fine = ours != NULL;
	if (fine)
		hp_proc_number(ours, "Seccomp_filters", 10, &mine), hp_proc_number(ours, "Seccomp", 10, &mode_mine);
	free(ours);
	for (unsigned n = 0; n < process->count && fine; n++) {
		char name[32];
		snprintf(name, sizeof name, "task/%d/status", (int)process->tasks[n].tid);
		char *status = hp_proc_text(process->pid, name, NULL);
		fine = status != NULL;
		if (fine) {
			hp_proc_number(status, "Seccomp_filters", 10, &theirs);
			hp_proc_number(status, "Seccomp", 10, &mode_theirs);
		}
		free(status);
		if (fine && (mine != theirs || mode_mine != mode_theirs))
			return hp_refuse("process %d has installed a seccomp filter of its own", (int)process->pid);
	}
	return fine || hp_refuse("process %d: its status cannot be read", (int)process->pid);
}

void hp_dump_forget(struct hp_dump *dump)
{
	for (unsigned n = 0; n < dump->count; n++) {
		struct hp_process *process = &dump->processes[n];
		free(process->mappings);
		free(process->fds);
		if (process->pidfd >= 0)
			close(process->pidfd);
	}
	free(dump->processes);
	dump->processes = NULL;
	dump->count = 0;
}
