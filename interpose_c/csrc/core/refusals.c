/* Calls that the job's jail answers otherwise than home would: made as they are;
 * what is refused is reported to the submitter, once per program and call.
 *
 * Owns: which answer is hpool's doing. Leaves to others: the sentence
 * (interpose_c/refusals.py), calls that are refused by the table (table.c).
 * None of these sleeps.
 */
#include <asm/ioctls.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include "core.h"

static bool told(uint32_t *mask, uint32_t bit)
{
	return __atomic_fetch_or(mask, bit, __ATOMIC_RELAXED) & bit;
}

/* Told once per process and call: the starter tells the submitter, once per program. */
void hp_report_refused(const struct hp_call *call, int error)
{
	static uint32_t calls[16];
	struct hp_ask ask = { .op = HP_REQ_REPORT, .arg = { call->nr, error, call->arg[0], call->arg[1] } };
	const char *exe = hp_self_exe();

	if (!hp_channel || (unsigned long)call->nr >= 512)
		return;
	if (told(&calls[call->nr / 32], 1u << (call->nr % 32)))
		return;
	ask.data1 = exe;
	ask.len1 = exe ? (uint32_t)hp_strlen(exe) : 0;
	hp_ask(&ask);
}

static long made(const struct hp_call *call)
{
	return hp_syscall6(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3], call->arg[4],
			   call->arg[5]);
}

/* Makes the call; an answer that only the jail gives is told. */
static long reported(const struct hp_call *call, int one, int other)
{
	long result = made(call);

	if (result < 0 && (result == -one || result == -other))
		hp_report_refused(call, (int)-result);
	return result;
}

/* Beyond what an ordinary user may at home, these fail there too: then nothing
 * was lost. The table's notes say what hpool takes away. */
#define REPORTED(name, one, other) \
	long hp_call_##name(struct hp_call *call) \
	{ \
		return reported(call, one, other); \
	}
REPORTED(socket, EAFNOSUPPORT, EPROTONOSUPPORT)
REPORTED(unshare, EPERM, EPERM)
REPORTED(setns, EPERM, EPERM)
REPORTED(perf_event_open, EPERM, EACCES)
REPORTED(personality, EPERM, EPERM)
REPORTED(setpriority, EACCES, EPERM)
REPORTED(sched_setscheduler, EPERM, EPERM)
REPORTED(sched_setparam, EPERM, EPERM)
REPORTED(sched_setattr, EPERM, EPERM)
REPORTED(sched_setaffinity, EINVAL, EPERM)
REPORTED(ioprio_set, EPERM, EPERM)
REPORTED(mlock, ENOMEM, EPERM)
REPORTED(mlock2, ENOMEM, EPERM)

long hp_call_userfaultfd(struct hp_call *call)
{
	hp_gate_pass(); /* memory has one filler at most */
	return reported(call, EPERM, EPERM);
}

/* Most requests are for a terminal or a socket and may sleep. Those that ask the
 * file system, or do what the jail refuses, are looked after. */
long hp_call_ioctl(struct hp_call *call)
{
	switch ((uint32_t)call->arg[1]) {
	case TIOCSTI:
	case TIOCLINUX:
	case TIOCSETD:
		return reported(call, EPERM, EPERM);
	case FS_IOC_SETFLAGS:
	case FS_IOC_FSSETXATTR:
	case FS_IOC_FIEMAP:
		return reported(call, ENOTTY, EOPNOTSUPP);
	default:
		return HP_PASS;
	}
}

/* ---- clocks: what is wrong with the call comes before what is forbidden ---------------- */

static long forbidden(const struct hp_call *call)
{
	hp_report_refused(call, EPERM);
	return -EPERM;
}

static long bad_time(long user, int64_t most_part)
{
	int64_t time[2];

	if (hp_user_read(time, (const void *)user, sizeof time))
		return -EFAULT;
	return time[0] < 0 || time[1] < 0 || time[1] > most_part ? -EINVAL : 0;
}

long hp_call_clock_settime(struct hp_call *call)
{
	int clock = (int)call->arg[0];
	long failed;

	/* of the fixed clocks only CLOCK_REALTIME is ever set; the others are somebody's */
	if (clock > 0 || (clock < 0 && hp_syscall2(__NR_clock_getres, clock, 0)))
		return -EINVAL;
	failed = bad_time(call->arg[1], 999999999);
	return failed ? failed : forbidden(call);
}

long hp_call_settimeofday(struct hp_call *call)
{
	int32_t zone[2];
	long failed = call->arg[0] ? bad_time(call->arg[0], 1000000) : 0;

	if (!failed && call->arg[1] && hp_user_read(zone, (const void *)call->arg[1], sizeof zone))
		failed = -EFAULT;
	return failed ? failed : forbidden(call);
}
