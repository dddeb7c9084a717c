/* The restorer: a child of PID 1 that kept all capabilities of the user namespace.
 *
 * Owns: the order. The processes are made by a confined maker (make_tree.c) and confine
 * themselves by being its children; only what ptrace can do is done from here. Ends when all
 * of them run. If it dies before, they die with it (PTRACE_O_EXITKILL).
 */
#include "restore.h"
#include "../keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define CLONE_NEWTIME_ 0x80
#define TRACED (PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE)

uint64_t hp_loader_sum(uint32_t *bytes);
uint64_t hp_xfeatures(void);

static struct hp_image image;
static const struct hp_faults *faults;
static int last_pid = -1;

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* What was still to come when the job was frozen is still to come. */
static void set_clocks(void)
{
	char text[128];
	int64_t monotonic = image.job->monotonic_ns - now_ns(CLOCK_MONOTONIC);
	int64_t boottime = image.job->boottime_ns - now_ns(CLOCK_BOOTTIME);
	int64_t monotonic_s = monotonic / 1000000000, boottime_s = boottime / 1000000000;
	if (monotonic % 1000000000 < 0)
		monotonic_s--;
	if (boottime % 1000000000 < 0)
		boottime_s--;
	if (unshare(CLONE_NEWTIME_)) {
		if (monotonic > 0)
			hp_die(errno, "setting the job's clocks");
		return;
	}
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else the file is root's; nothing of the job runs yet */
	int fd = openat(hp_proc, "self/timens_offsets", O_WRONLY | O_CLOEXEC);
	int length = snprintf(text, sizeof text, "monotonic %lld %lld\nboottime %lld %lld\n", (long long)monotonic_s,
			      (long long)(monotonic - monotonic_s * 1000000000), (long long)boottime_s,
			      (long long)(boottime - boottime_s * 1000000000));
	if (fd < 0 || write(fd, text, (size_t)length) != length)
		hp_die(errno, "setting the job's clocks");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	close(fd);
}

static void set_last_pid(pid_t pid)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%d", (int)pid - 1);
	if (pwrite(last_pid, text, (size_t)length, 0) != length)
		hp_die(errno, "choosing process numbers");
}

static void must(bool fine)
{
	if (!fine)
		hp_die(EBADMSG, hp_refusal());
}

void hp_restore_prepare(int meta, int pages)
{
	must(hp_image_read(&image, meta, pages));
	close(meta); /* both are mapped */
	close(pages);
	int failed = hp_proc_mount_own();
	if (failed)
		hp_die(-failed, "mounting a proc of our own");
	last_pid = openat(hp_proc, "sys/kernel/ns_last_pid", O_RDWR | O_CLOEXEC);
	if (last_pid < 0)
		hp_die(errno, "choosing process numbers");
	if (!hp_together_make(image.count[HP_R_PROCESS]))
		hp_die(ENOMEM, "restoring");
	set_clocks();
}

static bool fits_this_machine(void)
{
	uint32_t bytes;
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	if (hp_loader_sum(&bytes) != image.job->loader_sum)
		return hp_refuse("the image was made by another version of hpool");
	if (image.job->xfeatures & ~hp_xfeatures())
		return hp_refuse("this machine's processor lacks features that the job may use (%lx)",
				 (unsigned long)(image.job->xfeatures & ~hp_xfeatures()));
	if (image.job->vdso_bytes && hp_image_sum(0, vdso, image.job->vdso_bytes) != image.job->vdso_sum)
		return hp_refuse("the image was made under kernel %s, whose vdso is another than this one's",
				 image.job->kernel);
	return true;
}

/* ---- the restorer's own process ----------------------------------------------------------------- */

static bool take(struct hp_restored *to, unsigned number)
{
	pid_t pid = to->process->pid;
	uint64_t quiet = HP_QUIET;
	if (ptrace(PTRACE_SEIZE, pid, NULL, TRACED))
		return hp_refuse("process %d cannot be traced: %s", (int)pid, strerror(errno));
	__atomic_store_n(&hp_together->go[number], 1, __ATOMIC_SEQ_CST);
	(void)syscall(SYS_futex, &hp_together->go[number], 1 /* FUTEX_WAKE */, 1, NULL, NULL, 0);
	int status = hp_remote_wait(pid);
	if (status < 0 || !WIFSTOPPED(status) || status >> 8 != (SIGTRAP | PTRACE_EVENT_EXEC << 8))
		return hp_refuse("process %d did not become the loader: %s", (int)pid,
				 hp_together->failed ? hp_together->stage : "it ended");
	to->leader = (struct hp_remote){ .tid = pid };
	/* the exec is not over: what it returns would be put into our registers */
	if (ptrace(PTRACE_SETSIGMASK, pid, sizeof quiet, &quiet) || ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) ||
	    (status = hp_remote_wait(pid)) < 0 || !WIFSTOPPED(status))
		return hp_refuse("process %d is gone", (int)pid);
	return true;
}

static bool collect(struct hp_restored *to)
{
	unsigned most = image.count[HP_R_THREAD];
	to->threads = calloc(most, sizeof *to->threads);
	to->states = calloc(most, sizeof *to->states);
	if (to->threads == NULL || to->states == NULL)
		return hp_refuse("no memory");
	HP_EACH(&image, hp_image_thread, HP_R_THREAD, thread)
	if (thread->pid == to->process->pid)
		to->states[to->count++] = thread;
	if (to->count == 0)
		return hp_refuse("process %d has no threads", (int)to->process->pid);
	if (to->states[0]->tid != to->process->pid)
		return hp_refuse("process %d has lost its first thread", (int)to->process->pid);
	return true;
}

static void let_go(struct hp_restored *to)
{
	for (unsigned n = to->count; n-- > 0;) {
		if (to->process->state == HP_P_STOPPED && n == 0)
			kill(to->process->pid, SIGSTOP);
		(void)ptrace(PTRACE_DETACH, to->threads[n].tid, NULL, NULL);
	}
}

static bool restore_all(struct hp_restored *processes)
{
	unsigned live = 0, made = 0, count = image.count[HP_R_PROCESS];
	HP_EACH(&image, hp_image_process, HP_R_PROCESS, process)
	live += process->state != HP_P_ZOMBIE;
	if (!fits_this_machine() || !hp_together_serve(last_pid, &hp_together->placed, live))
		return false;
	hp_lazy_choose(&image, faults, set_last_pid);
	for (unsigned n = 0; n < count; n++) {
		struct hp_restored *to = &processes[made];
		*to = (struct hp_restored){ .image = &image,
					    .process = image.of[HP_R_PROCESS][n],
					    .last_pid = last_pid };
		if (to->process->state == HP_P_ZOMBIE)
			continue;
		if (!collect(to) || !take(to, n) || !hp_restore_memory(to) || !hp_restore_shim(to) ||
		    !hp_restore_threads(to))
			return false;
		made++;
	}
	for (unsigned n = 0; n < 2 * made; n++) /* who changed a semaphore last is to be the last one again */
		if (!hp_restore_undo(&processes[n % made], n >= made))
			return false;
	if (!hp_restore_removed(&image))
		return false;
	if (!hp_restore_seals(&processes[0]) || !hp_restore_marks(&image))
		return false;
	/* numbers are all taken: nothing that can be interrupted by a birth is left */
	for (unsigned n = 0; n < made; n++)
		if (!hp_restore_process(&processes[n]) || !hp_restore_signals(&processes[n]) ||
		    !hp_restore_finish(&processes[n]))
			return false;
	for (unsigned n = 0; n < made; n++)
		let_go(&processes[n]);
	return true;
}

static _Noreturn void restore(int status)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_NAME, "hpool-restore", 0, 0, 0);
	hp_inet_close();
	struct hp_restored *processes = calloc(image.count[HP_R_PROCESS], sizeof *processes);
	if (processes != NULL && restore_all(processes)) {
		close(status);
		hp_lazy_end();
		_exit(0);
	}
	struct hp_exec_failure failure = { .error = EPROTO };
	snprintf(failure.stage, sizeof failure.stage, "restoring: %s", hp_refusal());
	(void)!write(status, &failure, sizeof failure);
	kill(-1, SIGKILL);
	_exit(1);
}

/* ---- PID 1 --------------------------------------------------------------------------------------- */

pid_t hp_restore_start(const struct hp_faults *given, int *status)
{
	int ends[2];
	faults = given;
	if (pipe2(ends, O_CLOEXEC))
		hp_die(errno, "pipe");
	hp_make_ipc(&image, last_pid);
	hp_make_inet(&image);
	set_last_pid(hp_image_free_pid(&image, HP_HIGHEST_PID));
	long restorer = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (restorer == 0)
		restore(ends[1]);
	if (restorer < 0)
		hp_die(errno, "starting the restorer");
	close(ends[1]);
	set_last_pid(hp_image_free_pid(&image, hp_image_free_pid(&image, HP_HIGHEST_PID)));
	close(last_pid);
	*status = ends[0];
	return (pid_t)restorer;
}

pid_t hp_restore_run(void)
{
	long maker = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (maker == 0) {
		(void)hp_signal_only_each_other();
		hp_make_tree(&image, faults);
	}
	if (maker < 0)
		hp_die(errno, "starting the maker");
	hp_inet_close();
	pid_t first = (pid_t)image.job->first;
	hp_image_close(&image); /* as long as anybody has it, it takes memory */
	close(faults->device);
	return first;
}
