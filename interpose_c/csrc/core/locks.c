/* flock and fcntl locks: native ones between the job's processes, and the job's
 * as a whole at home.
 *
 * A record lock is asked for at home first: a native one that is given up again
 * could not restore what it replaced. flock(2) gives the old lock up in any
 * case, so there the native one comes first. Who has to wait sleeps on
 * lock_bell or in the kernel; a signal ends that as it would natively.
 */
#include <linux/futex.h>

#include "core.h"

#define LOCK_SHARED 1
#define LOCK_EXCLUSIVE 2
#define LOCK_NOT_WAITING 4
#define LOCK_NONE 8
#define BELL_S 1 /* asked again so often although no bell rang */

struct lock { /* asm-generic/fcntl.h's struct flock for x86-64 */
	int16_t type, whence;
	int32_t pad0;
	int64_t start, length;
	int32_t pid, pad1;
};

static int64_t ask_lock(uint16_t op, uint64_t inode, int space, int type, const uint64_t range[2], bool waits,
			uint64_t value[4])
{
	struct hp_ask ask = { .op = op,
			      .base = inode,
			      .arg = { space, type, (int64_t)range[0], (int64_t)range[1], waits } };
	int64_t answer = hp_ask(&ask);

	if (value)
		for (int i = 0; i < 4; i++)
			value[i] = ask.value[i];
	return answer;
}

/* The inode if the descriptor is of one that home has, else 0. */
static uint64_t home_inode(int fd)
{
	struct hp_stat stat;

	if (!hp_channel || hp_syscall2(__NR_fstat, fd, (long)&stat) || !hp_is_home(stat.dev, stat.ino))
		return 0;
	return stat.ino;
}

/* Until home rings, or for a second. HP_RESTART when a signal came. */
static long wait_for_bell(uint64_t seen)
{
	int64_t timeout[2] = { BELL_S, 0 };

	return hp_syscall_interruptible(__NR_futex, (long)&hp_channel->lock_bell, FUTEX_WAIT, (long)seen, (long)timeout,
					0, 0);
}

/* ---- flock ------------------------------------------------------------------ */

static const uint64_t whole_range[2] = { 0, HP_LOCK_END };

/* The starter finds out by trying whether anybody holds a lock; that is not a conflict. */
static long native_flock(int fd, int operation)
{
	for (;;) {
		uint32_t before = __atomic_load_n(&hp_channel->lock_probes, __ATOMIC_SEQ_CST);
		long result = hp_syscall2(__NR_flock, fd, operation | LOCK_NOT_WAITING);

		if (result != -EAGAIN ||
		    (!(before & 1) && __atomic_load_n(&hp_channel->lock_probes, __ATOMIC_SEQ_CST) == before))
			return result;
	}
}

static void give_back(int fd, uint64_t inode)
{
	hp_syscall2(__NR_flock, fd, LOCK_NONE);
	ask_lock(HP_REQ_UNLOCKED, inode, HP_LOCK_WHOLE, F_UNLCK, whole_range, false, NULL);
}

long hp_call_flock(struct hp_call *call)
{
	int fd = (int)call->arg[0], operation = (int)call->arg[1], kind = operation & ~LOCK_NOT_WAITING;
	bool waits = !(operation & LOCK_NOT_WAITING);
	uint64_t inode, value[4];
	int64_t answer;
	long result;

	if ((kind != LOCK_SHARED && kind != LOCK_EXCLUSIVE && kind != LOCK_NONE) || (inode = home_inode(fd)) == 0)
		return HP_PASS;
	if (kind == LOCK_NONE) {
		result = hp_syscall2(__NR_flock, fd, LOCK_NONE);
		if (result == 0)
			ask_lock(HP_REQ_UNLOCKED, inode, HP_LOCK_WHOLE, F_UNLCK, whole_range, false, NULL);
		return result;
	}
	result = native_flock(fd, kind);
	if (result == -EAGAIN && waits)
		result = hp_syscall_interruptible(__NR_flock, fd, kind, 0, 0, 0, 0);
	if (result == -EAGAIN) /* an older lock of this description is gone now */
		ask_lock(HP_REQ_UNLOCKED, inode, HP_LOCK_WHOLE, F_UNLCK, whole_range, false, NULL);
	if (result)
		return result;
	for (;;) {
		answer = ask_lock(HP_REQ_LOCK, inode, HP_LOCK_WHOLE, kind == LOCK_SHARED ? F_RDLCK : F_WRLCK,
				  whole_range, waits, value);
		if (answer >= 0)
			break;
		if (answer != -EAGAIN || !waits) {
			give_back(fd, inode);
			return (long)answer;
		}
		if (wait_for_bell(value[0]) == HP_RESTART) {
			give_back(fd, inode);
			return HP_RESTART;
		}
	}
	if (answer != HP_LOCAL)
		hp_fd_numbered(fd, (uint32_t)value[1]);
	return 0;
}

/* ---- fcntl ------------------------------------------------------------------ */

static bool range_of(int fd, const struct lock *lock, uint64_t range[2])
{
	struct hp_stat stat;
	int64_t start = lock->start, from = 0, end;

	if (lock->whence == 1)
		from = hp_syscall3(__NR_lseek, fd, 0, 1);
	else if (lock->whence == 2)
		from = hp_syscall2(__NR_fstat, fd, (long)&stat) ? -1 : stat.size;
	if (lock->whence < 0 || lock->whence > 2 || from < 0 || __builtin_add_overflow(start, from, &start))
		return false;
	if (lock->length == 0) {
		end = HP_LOCK_END;
	} else if (lock->length > 0) {
		if (__builtin_add_overflow(start, lock->length - 1, &end))
			return false;
	} else {
		end = start - 1;
		start += lock->length;
	}
	range[0] = (uint64_t)start;
	range[1] = (uint64_t)end;
	return start >= 0;
}

/* The kernel's answer if it would refuse in any case. */
static bool refused(int fd, int type)
{
	long flags = hp_syscall3(__NR_fcntl, fd, F_GETFL, 0);

	return flags < 0 || flags & HP_O_PATH || (type == F_RDLCK && !hp_flags_read(flags)) ||
	       (type == F_WRLCK && !hp_flags_write(flags));
}

static long at_once(long command)
{
	return command == F_OFD_SETLKW ? F_OFD_SETLK : command == F_SETLKW ? F_SETLK : command;
}

/* Natively and at home both: 0; -EAGAIN with *natively: whose refusal it was. */
static long try_both(const struct hp_call *call, uint64_t inode, const struct lock *lock, const uint64_t range[2],
		     bool waits, bool *natively, uint64_t value[4])
{
	for (int round = 0; round < 8; round++) {
		int64_t answer = ask_lock(HP_REQ_LOCK, inode, HP_LOCK_RANGE, lock->type, range, waits, value);
		long result;

		*natively = false;
		if (answer < 0)
			return (long)answer;
		result = hp_syscall3(__NR_fcntl, call->arg[0], at_once(call->arg[1]), call->arg[2]);
		*natively = result == -EAGAIN || result == -EACCES;
		if (result) {
			ask_lock(HP_REQ_UNLOCKED, inode, HP_LOCK_RANGE, F_UNLCK, range, false, NULL);
			return result;
		}
		if (answer == HP_LOCAL ||
		    ask_lock(HP_REQ_LOCKED, inode, HP_LOCK_RANGE, lock->type, range, false, NULL) != -EAGAIN)
			return 0;
	}
	return -ENOLCK;
}

static long unlock(const struct hp_call *call, uint64_t inode, const uint64_t range[2])
{
	long result = hp_syscall3(__NR_fcntl, call->arg[0], call->arg[1], call->arg[2]);

	if (result == 0)
		ask_lock(HP_REQ_UNLOCKED, inode, HP_LOCK_RANGE, F_UNLCK, range, false, NULL);
	return result;
}

/* The kernel gave it after a wait; home may still have to. Interrupted there,
 * the range ends up unlocked, also where another lock had been before. */
static long complete(const struct hp_call *call, uint64_t inode, const struct lock *lock, const uint64_t range[2])
{
	struct lock none = { .type = F_UNLCK, .start = (int64_t)range[0] };
	uint64_t value[4];
	int64_t answer;

	for (;;) {
		answer = ask_lock(HP_REQ_LOCK, inode, HP_LOCK_RANGE, lock->type, range, true, value);
		if (answer >= 0 && ask_lock(HP_REQ_LOCKED, inode, HP_LOCK_RANGE, lock->type, range, false, NULL) >= 0)
			return 0;
		if (answer < 0 && (answer != -EAGAIN || wait_for_bell(value[0]) == HP_RESTART))
			break;
	}
	none.length = range[1] == HP_LOCK_END ? 0 : (int64_t)(range[1] - range[0] + 1);
	hp_syscall3(__NR_fcntl, call->arg[0], call->arg[1] >= F_OFD_GETLK ? F_OFD_SETLK : F_SETLK, (long)&none);
	ask_lock(HP_REQ_UNLOCKED, inode, HP_LOCK_RANGE, F_UNLCK, range, false, NULL);
	return answer == -EAGAIN ? HP_RESTART : (long)answer;
}

/* While nobody else has the file open at home (the starter's leases.c) the native answer is all there is. False: the
 * starter is to be asked, or the kernel's wait is to come. */
static bool answered_natively(const struct hp_call *call, long command, long *result)
{
	struct hp_file *file = hp_fd_file((int)call->arg[0]);
	bool answered = false;

	if (!file || !(__atomic_load_n(&file->flags, __ATOMIC_SEQ_CST) & HP_FILE_PRIVATE))
		return false;
	__atomic_add_fetch(&file->lockers, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&file->flags, __ATOMIC_SEQ_CST) & HP_FILE_PRIVATE) {
		*result = hp_syscall3(__NR_fcntl, call->arg[0], command, call->arg[2]);
		answered = command == call->arg[1] || (*result != -EAGAIN && *result != -EACCES);
	}
	if (__atomic_sub_fetch(&file->lockers, 1, __ATOMIC_SEQ_CST) == 0 &&
	    !(__atomic_load_n(&file->flags, __ATOMIC_SEQ_CST) & HP_FILE_PRIVATE))
		hp_syscall6(__NR_futex, (long)&file->lockers, FUTEX_WAKE, 1, 0, 0, 0);
	return answered;
}

static long set_lock(struct hp_call *call, bool waits)
{
	int fd = (int)call->arg[0];
	struct lock lock;
	uint64_t range[2], inode, value[4] = { 0 };
	bool natively;
	long result;

	if (answered_natively(call, at_once(call->arg[1]), &result))
		return result;
	if (hp_user_read(&lock, (const void *)call->arg[2], sizeof lock) || (inode = home_inode(fd)) == 0 ||
	    !range_of(fd, &lock, range))
		return HP_PASS;
	if (lock.type == F_UNLCK)
		return unlock(call, inode, range);
	if ((lock.type != F_RDLCK && lock.type != F_WRLCK) || refused(fd, lock.type))
		return HP_PASS;
	for (;;) {
		result = try_both(call, inode, &lock, range, waits, &natively, value);
		if (!waits || result != -EAGAIN)
			break;
		if (natively) { /* by one of the job's own: the kernel waits, and sees deadlocks */
			result = hp_syscall_interruptible(__NR_fcntl, fd, call->arg[1], call->arg[2], 0, 0, 0);
			if (result == 0)
				result = complete(call, inode, &lock, range);
			break;
		}
		if (wait_for_bell(value[0]) == HP_RESTART)
			return HP_RESTART;
	}
	if (result == 0 && value[1])
		hp_fd_numbered(fd, (uint32_t)value[1]);
	return result;
}

static long get_lock(struct hp_call *call)
{
	struct lock lock, native;
	uint64_t range[2], inode, value[4];
	long result;

	if (answered_natively(call, call->arg[1], &result))
		return result;
	if (hp_user_read(&lock, (const void *)call->arg[2], sizeof lock) ||
	    (inode = home_inode((int)call->arg[0])) == 0 || !range_of((int)call->arg[0], &lock, range) ||
	    (lock.type != F_RDLCK && lock.type != F_WRLCK))
		return HP_PASS;
	result = hp_syscall3(__NR_fcntl, call->arg[0], call->arg[1], call->arg[2]);
	if (result || hp_user_read(&native, (const void *)call->arg[2], sizeof native) || native.type != F_UNLCK)
		return result;
	if (ask_lock(HP_REQ_GETLOCK, inode, HP_LOCK_RANGE, lock.type, range, false, value) != 0 || value[0] == F_UNLCK)
		return 0;
	native.type = (int16_t)value[0];
	native.whence = 0;
	native.start = (int64_t)value[1];
	native.length = value[2] >= HP_LOCK_END ? 0 : (int64_t)(value[2] - value[1] + 1);
	native.pid = (int32_t)value[3];
	return hp_user_write((void *)call->arg[2], &native, sizeof native) ? -EFAULT : 0;
}

/* The mirror's file system can seal, home's cannot: who may write hears that, the kernel tells the others. */
static long seals(struct hp_call *call, bool adds)
{
	long flags = hp_syscall3(__NR_fcntl, call->arg[0], F_GETFL, 0);
	struct hp_stat stat;

	if (flags < 0 || flags & HP_O_PATH || (adds && !hp_flags_write(flags)) ||
	    hp_syscall2(__NR_fstat, call->arg[0], (long)&stat))
		return HP_PASS;
	return hp_is_home(stat.dev, stat.ino) ? -EINVAL : HP_PASS;
}

long hp_call_fcntl(struct hp_call *call)
{
	long failed;

	if (!hp_channel)
		return HP_PASS;
	switch ((int)call->arg[1]) {
	case F_SETLK:
	case F_OFD_SETLK:
		return set_lock(call, false);
	case F_SETLKW:
	case F_OFD_SETLKW:
		return set_lock(call, true);
	case F_GETLK:
	case F_OFD_GETLK:
		return get_lock(call);
	case F_SETFL:
		if (call->arg[2] & HP_O_NOATIME && !hp_owns((int)call->arg[0]))
			return -EPERM;
		failed = call->arg[2] & HP_O_APPEND ? hp_fd_append((int)call->arg[0]) : 0;
		return failed ? failed : HP_PASS;
	case F_CREATED_QUERY: /* the kernel knows of the mirror's file, which was there: as before Linux 6.12 */
		return hp_fd_file((int)call->arg[0]) ? -EINVAL : HP_PASS;
	case F_NOTIFY:
		hp_watches();
		return HP_PASS;
	case F_GET_SEALS:
		return seals(call, false);
	case F_ADD_SEALS:
		return seals(call, true);
	default:
		return HP_PASS;
	}
}
