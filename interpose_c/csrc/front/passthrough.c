/* The table of a build without core (make PASSTHROUGH=1): only what keeps the
 * shim in place and /proc/self/exe right; everything else is native. */
#include <linux/fcntl.h>

#include "front.h"
#include "hpool/tracer.h"

#define HANDLER(name) long hp_call_##name(struct hp_call *call)
HANDLER(rt_sigaction);
HANDLER(rt_sigprocmask);
HANDLER(rt_sigsuspend);
HANDLER(rt_sigreturn);
HANDLER(rt_sigpending);
HANDLER(rt_sigtimedwait);
HANDLER(ppoll);
HANDLER(sigaltstack);
HANDLER(pselect6);
HANDLER(epoll_pwait);
HANDLER(epoll_pwait2);
HANDLER(clone);
HANDLER(clone3);
HANDLER(fork);
HANDLER(vfork);
HANDLER(execve);
HANDLER(execveat);
HANDLER(exit);
HANDLER(exit_group);
HANDLER(prctl);
HANDLER(arch_prctl);
HANDLER(seccomp);
HANDLER(ptrace);
HANDLER(madvise);
HANDLER(process_madvise);
long hp_observe_end(struct hp_call *call);

static bool is_own_exe(long user)
{
	char path[32];

	return hp_user_text(path, (const char *)user, sizeof path) >= 0 && hp_text_equal(path, "/proc/self/exe");
}

static long read_link(long path, long room, long size)
{
	long length = hp_text_length(hp_self_exe());

	if (size <= 0 || !is_own_exe(path))
		return HP_PASS;
	if (length > size)
		length = size;
	return hp_user_write((void *)room, hp_self_exe(), (size_t)length) ? -EFAULT : length;
}

static long call_readlink(struct hp_call *call)
{
	return read_link(call->arg[0], call->arg[1], (int)call->arg[2]);
}

static long call_readlinkat(struct hp_call *call)
{
	return read_link(call->arg[1], call->arg[2], (int)call->arg[3]);
}

static long call_open(struct hp_call *call)
{
	int path = call->nr == __NR_openat;

	if (!is_own_exe(call->arg[path]))
		return HP_PASS;
	call->arg[path] = (long)hp_self_exe();
	return HP_TAIL;
}

static long call_mremap(struct hp_call *call)
{
	(void)call;
	hp_gate_pass();
	return HP_PASS;
}

const hp_handler hp_handlers[] = {
	[__NR_rt_sigaction] = hp_call_rt_sigaction,
	[__NR_rt_sigprocmask] = hp_call_rt_sigprocmask,
	[__NR_rt_sigreturn] = hp_call_rt_sigreturn,
	[__NR_rt_sigpending] = hp_call_rt_sigpending,
	[__NR_rt_sigtimedwait] = hp_call_rt_sigtimedwait,
	[__NR_rt_sigsuspend] = hp_call_rt_sigsuspend,
	[__NR_ppoll] = hp_call_ppoll,
	[__NR_sigaltstack] = hp_call_sigaltstack,
	[__NR_pselect6] = hp_call_pselect6,
	[__NR_epoll_pwait] = hp_call_epoll_pwait,
	[__NR_epoll_pwait2] = hp_call_epoll_pwait2,
	[__NR_clone] = hp_call_clone,
	[__NR_clone3] = hp_call_clone3,
	[__NR_fork] = hp_call_fork,
	[__NR_vfork] = hp_call_vfork,
	[__NR_execve] = hp_call_execve,
	[__NR_execveat] = hp_call_execveat,
	[__NR_exit] = hp_call_exit,
	[__NR_exit_group] = hp_call_exit_group,
	[__NR_prctl] = hp_call_prctl,
	[__NR_arch_prctl] = hp_call_arch_prctl,
	[__NR_seccomp] = hp_call_seccomp,
	[__NR_ptrace] = hp_call_ptrace,
	[__NR_madvise] = hp_call_madvise,
	[__NR_process_madvise] = hp_call_process_madvise,
	[__NR_mremap] = call_mremap,
	[__NR_open] = call_open,
	[__NR_openat] = call_open,
	[__NR_readlink] = call_readlink,
	[__NR_readlinkat] = call_readlinkat,
	[HP_VERDICT_CALL] = hp_call_verdict,
	[HP_VERDICT_CALL + 1] = hp_observe_end,
};
const unsigned hp_handler_count = HP_VERDICT_CALL;
