/* RLIMIT_AS: the address space a program may have, beside what hpool has mapped into it.
 * The kernel gets so much more, the program sees what it has set.
 */
#include <linux/resource.h>

#include "core.h"

#define NO_LIMIT (~0ul)

static uint64_t more(uint64_t bytes)
{
	return bytes > NO_LIMIT - HP_MAPPED_BYTES ? bytes : bytes + HP_MAPPED_BYTES;
}

static uint64_t less(uint64_t bytes)
{
	if (bytes == NO_LIMIT)
		return bytes;
	return bytes > HP_MAPPED_BYTES ? bytes - HP_MAPPED_BYTES : 0;
}

static long limit(long pid, long wanted, long former)
{
	struct rlimit new, old;
	long failed;

	if (wanted) {
		if (hp_user_read(&new, (const void *)wanted, sizeof new))
			return -EFAULT;
		new.rlim_cur = more(new.rlim_cur);
		new.rlim_max = more(new.rlim_max);
	}
	failed = hp_syscall4(__NR_prlimit64, pid, RLIMIT_AS, wanted ? (long)&new : 0, (long)&old);
	if (failed || !former)
		return failed;
	old.rlim_cur = less(old.rlim_cur);
	old.rlim_max = less(old.rlim_max);
	return hp_user_write((void *)former, &old, sizeof old);
}

long hp_call_prlimit64(struct hp_call *call)
{
	bool is_ours = hp_channel && (unsigned)call->arg[1] == RLIMIT_AS;

	return is_ours ? limit(call->arg[0], call->arg[2], call->arg[3]) : HP_PASS;
}

/* A bad pointer is EFAULT here too. */
long hp_call_setrlimit(struct hp_call *call)
{
	bool is_ours = hp_channel && (unsigned)call->arg[0] == RLIMIT_AS && call->arg[1];

	return is_ours ? limit(0, call->arg[1], 0) : HP_PASS;
}

long hp_call_getrlimit(struct hp_call *call)
{
	bool is_ours = hp_channel && (unsigned)call->arg[0] == RLIMIT_AS && call->arg[1];

	return is_ours ? limit(0, 0, call->arg[1]) : HP_PASS;
}
