/* Who the program is, for itself and for the job's other processes. */
#include "front.h"

char hp_exe_text[HP_PATH_MAX];
static int32_t publisher; /* our pid as published */

void hp_self_exe_set(const char *path)
{
	unsigned length = hp_text_length(path);

	if (length >= sizeof hp_exe_text)
		length = sizeof hp_exe_text - 1;
	memcpy(hp_exe_text, path, length);
	hp_exe_text[length] = 0;
}

const char *hp_self_exe(void)
{
	return hp_exe_text;
}

/* Each process has an entry by its pid; a reader compares the pid, so one of a
 * process that was killed is taken over by the next with that index. */
void hp_proc_publish(void)
{
	unsigned length = hp_text_length(hp_exe_text);
	struct hp_proc *proc;

	if (!hp_channel)
		return;
	publisher = (int32_t)hp_syscall0(__NR_getpid);
	proc = &hp_channel->procs[(uint32_t)publisher % HP_PROCS];
	if (length > HP_EXE_MAX)
		length = HP_EXE_MAX;
	__atomic_store_n(&proc->pid, 0, __ATOMIC_SEQ_CST);
	memcpy(proc->exe, hp_exe_text, length);
	proc->length = length;
	__atomic_store_n(&proc->pid, publisher, __ATOMIC_SEQ_CST);
}

void hp_proc_withdraw(void)
{
	struct hp_proc *proc;

	if (!hp_channel)
		return;
	proc = &hp_channel->procs[(uint32_t)publisher % HP_PROCS];
	if (__atomic_load_n(&proc->pid, __ATOMIC_RELAXED) == publisher)
		__atomic_store_n(&proc->pid, 0, __ATOMIC_SEQ_CST);
}
