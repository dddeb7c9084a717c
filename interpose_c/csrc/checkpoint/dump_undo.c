/* What the end of a process adds to a semaphore (SEM_UNDO). The kernel tells nobody.
 *
 * But it refuses an operation that would take the number out of its range (ERANGE) before it finds
 * out that a later one of the same call would have to wait (EAGAIN), and then does none of them.
 * So it is found by asking, and nothing is changed: semop(2) is all or nothing.
 */
#include "dump.h"
#include "kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#define MOST 32767 /* of a semaphore's value, and of what is undone */
#define OPERATIONS 8

static bool failed(const struct hp_task *task, int id, long error)
{
	return hp_refuse("process %d: what is undone to semaphores %d cannot be told: %s", (int)task->pid, id,
			 strerror((int)-error));
}

/* Is it less than that, of -32767 to 32767? The value goes to zero, then up and down again in steps
 * whose ways up are undone: as many as take a smaller number below the least. Then one that cannot be. */
static bool is_less(struct hp_task *task, int id, unsigned number, uint16_t value, int than, bool *less)
{
	struct sembuf all[OPERATIONS];
	unsigned count = 0;
	if (value)
		all[count++] = (struct sembuf){ (uint16_t)number, (int16_t)-value, 0 };
	for (int left = MOST + 1 + than, part; left > 0; left -= part) {
		part = left < MOST ? left : MOST;
		all[count++] = (struct sembuf){ (uint16_t)number, (int16_t)part, SEM_UNDO };
		all[count++] = (struct sembuf){ (uint16_t)number, (int16_t)-part, 0 };
	}
	all[count++] = (struct sembuf){ (uint16_t)number, -1, IPC_NOWAIT };
	if (hp_remote_write(task->tid, task->remote.scratch, all, count * sizeof *all))
		return failed(task, id, -EFAULT);
	long error = HP_ASK(&task->remote, SYS_semop, id, task->remote.scratch, count);
	*less = error == -ERANGE;
	return error == -ERANGE || error == -EAGAIN || failed(task, id, error);
}

static bool find(struct hp_task *task, int id, unsigned number, uint16_t value, int *adjust)
{
	int low = -MOST - 1, high = MOST; /* low <= it <= high */
	bool negative, below_one, less;
	if (!is_less(task, id, number, value, 0, &negative) || !is_less(task, id, number, value, 1, &below_one))
		return false;
	if (negative)
		high = -1;
	else if (below_one)
		high = low = 0;
	else
		low = 1;
	while (low < high) {
		int middle = low + (high - low + 1) / 2;
		if (!is_less(task, id, number, value, middle, &less))
			return false;
		if (less)
			high = middle - 1;
		else
			low = middle;
	}
	*adjust = low;
	return true;
}

static bool share(pid_t one, pid_t other)
{
	return syscall(SYS_kcmp, one, other, HP_KCMP_SYSVSEM, 0, 0) == 0;
}

bool hp_dump_undo(struct hp_dump *dump, int id, unsigned number, uint16_t value)
{
	for (unsigned t = 0; t < dump->frozen.count; t++) {
		struct hp_task *task = &dump->frozen.tasks[t];
		const struct hp_process *process = hp_dump_process(dump, task->pid);
		bool leads = task->tid == task->pid;
		int adjust = 0;
		/* like us, who have never undone anything; or a thread like any other */
		if (process == NULL || share(getpid(), task->tid) || (!leads && share(task->pid, task->tid)))
			continue;
		if (!find(task, id, number, value, &adjust))
			return false;
		if (adjust == 0)
			continue;
		for (unsigned other = 0; other < dump->count; other++)
			if (!leads || (dump->processes[other].count && dump->processes[other].pid != task->pid &&
				       share(task->tid, dump->processes[other].pid)))
				return hp_refuse("task %d undoes semaphores %d at an end that is not its process's",
						 (int)task->tid, id);
		struct hp_image_undo undo = { .pid = task->pid, .id = id, .number = number, .adjust = adjust };
		hp_write_record(&dump->writer, HP_R_UNDO, &undo, sizeof undo, NULL, 0);
	}
	return true;
}
