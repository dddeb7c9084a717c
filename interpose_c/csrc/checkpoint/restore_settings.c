/* What processes and threads have asked of the kernel once and for all, asked again. */
#include "restore.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LEAST_MEMORY_SCORE (-1000)
#define OPENED_WITHOUT ((uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_ASYNC))

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

static long permit(struct hp_remote *task, uint64_t sets)
{
	long error = 0;
	for (unsigned bit = 0; bit < 64 && !error; bit++)
		if (sets >> bit & 1)
			error = HP_ASK(task, SYS_arch_prctl, HP_ARCH_REQ_XCOMP_PERM, bit);
	return error;
}

/* A wish: a kernel that does not know of it goes by its own. */
static long set_slice(pid_t tid, uint64_t slice_ns)
{
	struct hp_kernel_sched attributes;
	if (syscall(SYS_sched_getattr, tid, &attributes, sizeof attributes, 0) == 0) {
		attributes.runtime_ns = slice_ns;
		(void)syscall(SYS_sched_setattr, tid, &attributes, 0);
	}
	return 0;
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
	case HP_S_REGISTERS:
		return permit(task, setting->value);
	case HP_S_NO_TSC:
		return HP_ASK(task, SYS_prctl, PR_SET_TSC, setting->value);
	case HP_S_BAD_MEMORY:
		return HP_ASK(task, SYS_prctl, PR_MCE_KILL, PR_MCE_KILL_SET, setting->value);
	case HP_S_MERGE_MEMORY: /* what a kernel without it cannot do nobody notices */
		(void)HP_ASK(task, SYS_prctl, HP_PR_SET_MEMORY_MERGE, setting->value);
		return 0;
	case HP_S_SLICE:
		return set_slice(setting->of, setting->value);
	case HP_S_OWNER:
		if (hp_remote_write(task->tid, task->scratch, &setting->value, sizeof setting->value))
			return -EFAULT;
		/* who has ended since is told no more */
		(void)HP_ASK(task, SYS_fcntl, setting->of, F_SETOWN_EX, task->scratch);
		return 0;
	case HP_S_SIGNAL:
		return HP_ASK(task, SYS_fcntl, setting->of, F_SETSIG, setting->value);
	case HP_S_ASYNC: /* by its number: that is what the signal tells */
		(void)HP_ASK(task, SYS_fcntl, setting->of, F_SETFL, setting->value & ~(uint64_t)O_ASYNC);
		return HP_ASK(task, SYS_fcntl, setting->of, F_SETFL, setting->value);
	default:
		return -EINVAL;
	}
}

static long open_proc(struct hp_restored *to, const struct hp_image_file *file, int at)
{
	struct hp_remote *task = &to->leader;
	const char *path = hp_image_path(hp_image_object(to->image, file->object));
	if (hp_remote_write(task->tid, task->scratch, path, strlen(path) + 1))
		return -EFAULT;
	long fd = HP_ASK(task, SYS_openat, AT_FDCWD, task->scratch, (file->flags & ~OPENED_WITHOUT) | O_CLOEXEC);
	if (fd < 0)
		return fd;
	(void)HP_ASK(task, SYS_lseek, fd, file->position, SEEK_SET);
	long error = HP_ASK(task, SYS_dup3, fd, at, 0);
	(void)HP_ASK(task, SYS_close, fd);
	return error < 0 ? error : 0;
}

/* As add_watch (make_files.c), by the process itself. */
static long watch_proc(struct hp_restored *to, const struct hp_image_watch *watch)
{
	struct hp_remote *task = &to->leader;
	struct epoll_event event = { .events = watch->events, .data.u64 = watch->value };
	int aside = to->image->high, epoll = -1;
	HP_EACH(to->image, hp_image_fd, HP_R_FD, fd)
	if (fd->pid == watch->pid && fd->file == watch->file)
		epoll = fd->fd;
	if (watch->held != watch->fd) {
		long kept = HP_ASK(task, SYS_dup3, watch->fd, aside, O_CLOEXEC);
		aside = kept == -EBADF ? -1 : aside;
		(void)HP_ASK(task, SYS_dup3, watch->held, watch->fd, 0);
	}
	long error = hp_remote_write(task->tid, task->scratch, &event, sizeof event) ?
			     -EFAULT :
			     HP_ASK(task, SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, watch->fd, task->scratch);
	if (watch->held != watch->fd && aside >= 0) {
		(void)HP_ASK(task, SYS_dup3, aside, watch->fd, 0);
		(void)HP_ASK(task, SYS_close, aside);
	} else if (watch->held != watch->fd) {
		(void)HP_ASK(task, SYS_close, watch->fd);
	}
	return error;
}

/* By now all processes are there, with the memory they had: it is of what they are when it is opened. */
bool hp_restore_proc(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_file, HP_R_FILE, file)
	{
		int first = -1;
		if (!hp_is_of_proc(to->image, file))
			continue;
		HP_EACH(to->image, hp_image_fd, HP_R_FD, fd)
		{
			if (fd->pid != to->process->pid || fd->file != file->id)
				continue;
			long error = first < 0 ? open_proc(to, file, fd->fd) :
						 HP_ASK(&to->leader, SYS_dup3, first, fd->fd, 0);
			if (error < 0)
				return hp_refuse("process %d: opening %.200s again: %s", (int)fd->pid,
						 hp_image_path(hp_image_object(to->image, file->object)),
						 strerror((int)-error));
			first = first < 0 ? fd->fd : first;
		}
	}
	HP_EACH(to->image, hp_image_watch, HP_R_WATCH, watch)
	if (watch->pid == to->process->pid && hp_is_proc_at(to->image, watch->pid, watch->held)) {
		long error = watch_proc(to, watch);
		if (error < 0)
			return hp_refuse("process %d: descriptor %d of an epoll: %s", (int)watch->pid, watch->fd,
					 strerror((int)-error));
	}
	return true;
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
