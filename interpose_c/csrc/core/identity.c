/* Users and groups. The job's user namespace holds one of each: any other is
 * EINVAL to the kernel there, where home would say EPERM. */
#include "core.h"

#define NOBODY (-1) /* an id that there cannot be; where several are set, one that stays as it is */

static long own_only(const struct hp_call *call)
{
	long result = hp_syscall3(call->nr, call->arg[0], call->arg[1], call->arg[2]);

	if (call->nr == __NR_setuid || call->nr == __NR_setgid)
		return result == -EINVAL && hp_channel && (int)call->arg[0] != NOBODY ? -EPERM : result;
	return result == -EINVAL && hp_channel ? -EPERM : result;
}

#define OWN_ONLY(name) \
	long hp_call_##name(struct hp_call *call) \
	{ \
		return own_only(call); \
	}
OWN_ONLY(setuid)
OWN_ONLY(setgid)
OWN_ONLY(setreuid)
OWN_ONLY(setregid)
OWN_ONLY(setresuid)
OWN_ONLY(setresgid)

long hp_call_getgroups(struct hp_call *call)
{
	long room = (int)call->arg[0], count;

	if (!hp_channel)
		return HP_PASS;
	count = hp_channel->ngroups < 63 ? hp_channel->ngroups : 63;
	if (room < 0)
		return -EINVAL;
	if (room == 0)
		return count;
	if (room < count)
		return -EINVAL;
	return hp_user_write((void *)call->arg[1], hp_channel->groups, (unsigned long)count * 4) ? -EFAULT : count;
}
