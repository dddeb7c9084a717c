/* What processes and threads have asked of the kernel once and for all, asked again. */
#include "restore.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LEAST_MEMORY_SCORE (-1000)

/* As far as this machine allows it: a score is not lowered without privilege. */
static void tell_proc(pid_t pid, const char *name, const char *format, long value)
{
	char path[64], text[32];
	snprintf(path, sizeof path, "%d/%s", (int)pid, name);
	int length = snprintf(text, sizeof text, format, value);
	int fd = openat(hp_proc, path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, text, (size_t)length);
		close(fd);
	}
}

static struct hp_remote *thread_of(struct hp_restored *to, pid_t tid)
{
	for (unsigned n = 0; n < to->count; n++)
		if (to->threads[n].tid == tid)
			return &to->threads[n];
	return &to->leader;
}

static long register_barriers(struct hp_remote *task, uint64_t commands)
{
	long error = 0;
	for (unsigned bit = 0; bit < 32 && !error; bit++)
		if (commands >> bit & 1)
			error = HP_ASK(task, SYS_membarrier, 1u << bit);
	return error;
}

static long apply(struct hp_restored *to, const struct hp_image_setting *setting)
{
	struct hp_remote *task = &to->leader;
	switch ((enum hp_image_setting_kind)setting->kind) {
	case HP_S_TIMER_SLACK:
		return HP_ASK(thread_of(to, setting->of), SYS_prctl, PR_SET_TIMERSLACK, setting->value);
	case HP_S_IO_PRIORITY:
		return HP_ASK(thread_of(to, setting->of), SYS_ioprio_set, HP_IOPRIO_OF_PROCESS, 0, setting->value);
	case HP_S_NO_HUGE_PAGES:
		return HP_ASK(task, SYS_prctl, PR_SET_THP_DISABLE, 1);
	case HP_S_NO_NEW_CODE:
		return HP_ASK(task, SYS_prctl, HP_PR_SET_MDWE, setting->value);
	case HP_S_BARRIERS:
		return register_barriers(task, setting->value);
	case HP_S_MEMORY_SCORE:
		tell_proc(to->process->pid, "oom_score_adj", "%ld", (long)setting->value + LEAST_MEMORY_SCORE);
		return 0;
	case HP_S_CORE_FILTER:
		tell_proc(to->process->pid, "coredump_filter", "0x%lx", (long)setting->value);
		return 0;
	case HP_S_OWNER:
		if (hp_remote_write(task->tid, task->scratch, &setting->value, sizeof setting->value))
			return -EFAULT;
		/* who has ended since is told no more */
		(void)HP_ASK(task, SYS_fcntl, setting->of, F_SETOWN_EX, task->scratch);
		return 0;
	case HP_S_SIGNAL:
		return HP_ASK(task, SYS_fcntl, setting->of, F_SETSIG, setting->value);
	default:
		return -EINVAL;
	}
}

bool hp_restore_settings(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_setting, HP_R_SETTING, setting)
	{
		long error = setting->pid == to->process->pid ? apply(to, setting) : 0;
		if (error)
			return hp_refuse("process %d: setting %u: %s", (int)to->process->pid, setting->kind,
					 strerror((int)-error));
	}
	return true;
}
