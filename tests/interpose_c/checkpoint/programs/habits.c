/* What a process has asked of the kernel for good: sets of registers, the time-stamp counter, memory that fails or
 * may be merged, how long it runs at once; timers of its own processor time. */
#include "again.h"
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define GET_PERMISSIONS 0x1022 /* arch_prctl(2): ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM */
#define ASK_PERMISSION 0x1023
#define TILES 18
#define SET_MERGE 67 /* PR_SET_MEMORY_MERGE, PR_GET_MEMORY_MERGE */
#define GET_MERGE 68
#define SLICE_NS 3000000

struct attributes { /* struct sched_attr */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

int main(void)
{
	static const clockid_t clocks[] = { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
	const struct itimerspec long_from_now = { { 0, 0 }, { 50, 0 } };
	struct itimerspec left;
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	struct attributes own;
	char found[1];
	uint64_t may = 0, may_still = 0;
	timer_t timers[2];
	int tsc = 0, ends[2];
	(void)syscall(SYS_arch_prctl, ASK_PERMISSION, TILES); /* where there are any */
	int merges = prctl(SET_MERGE, 1, 0, 0, 0) == 0;
	CHECK(syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) == 0);
	own.runtime_ns = SLICE_NS;
	CHECK(syscall(SYS_sched_setattr, 0, &own, 0) == 0 && syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) == 0);
	uint64_t slice_ns = own.runtime_ns; /* older kernels have none */
	CHECK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
	for (int n = 0; n < 2; n++)
		CHECK(timer_create(clocks[n], &silent, &timers[n]) == 0 &&
		      timer_settime(timers[n], 0, &long_from_now, NULL) == 0);
	CHECK(pipe(ends) == 0);
	pid_t child = fork();
	if (child == 0)
		_exit(prctl(PR_SET_TSC, PR_TSC_SIGSEGV) || read(ends[0], found, 1) != 1 || prctl(PR_GET_TSC, &tsc) ||
		      tsc != PR_TSC_SIGSEGV); /* where clocks cannot be looked at */
	(void)syscall(SYS_arch_prctl, GET_PERMISSIONS, &may);

	linger();

	(void)syscall(SYS_arch_prctl, GET_PERMISSIONS, &may_still);
	CHECK(may == may_still);
	CHECK(write(ends[1], "x", 1) == 1 && waitpid(child, &tsc, 0) == child && tsc == 0);
	CHECK(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY);
	CHECK(!merges || prctl(GET_MERGE, 0, 0, 0, 0) == 1);
	CHECK(syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) == 0 && own.runtime_ns == slice_ns);
	for (int n = 0; n < 2; n++)
		CHECK(timer_gettime(timers[n], &left) == 0 && left.it_value.tv_sec >= 45);
	return done();
}
