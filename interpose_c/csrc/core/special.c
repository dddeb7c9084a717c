/* What the program finds of itself. */
#include "core.h"

/* Follows the process's umask, which no call can read without changing it. */
static long current_umask = -1;

static long umask_now(void)
{
	if (current_umask < 0) {
		current_umask = hp_syscall1(__NR_umask, 022);
		hp_syscall1(__NR_umask, current_umask);
	}
	return current_umask;
}

long hp_new_mode(long mode)
{
	return mode | umask_now() << HPW_UMASK_SHIFT;
}

long hp_call_umask(struct hp_call *call)
{
	long old = hp_syscall1(__NR_umask, call->arg[0]);

	if (!hp_in_vfork_child())
		current_umask = call->arg[0] & 0777;
	return old;
}

static const char *after_pid(const char *path)
{
	while (*path >= '0' && *path <= '9')
		path++;
	return path;
}

bool hp_is_memory(const char *path)
{
	size_t length = hp_starts(path, "/proc/") ? hp_strlen(path) : 0;

	return length > 4 && hp_equal(path + length - 4, "/mem");
}

/* /proc/PID/exe would show the loader. */
const char *hp_exe_alias(const char *path, char *room, unsigned size)
{
	const char *rest;
	int pid = 0;

	if (!hp_starts(path, "/proc/"))
		return NULL;
	rest = path + 6;
	if (hp_starts(rest, "self/exe") || hp_starts(rest, "thread-self/exe"))
		return hp_equal(rest, "self/exe") || hp_equal(rest, "thread-self/exe") ? hp_self_exe() : NULL;
	if (!hp_equal(after_pid(rest), "/exe") || after_pid(rest) == rest)
		return NULL;
	for (; *rest != '/'; rest++)
		pid = pid * 10 + (*rest - '0');
	if (pid == hp_syscall0(__NR_getpid))
		return hp_self_exe();
	if (hp_channel) {
		const struct hp_proc *proc = &hp_channel->procs[(unsigned)pid % HP_PROCS];
		uint32_t length = proc->length;

		if (proc->pid == pid && length < size && length <= HP_EXE_MAX) {
			memcpy(room, proc->exe, length);
			room[length] = 0;
			return room;
		}
	}
	return NULL;
}
