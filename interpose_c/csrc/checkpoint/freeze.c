/* Stops every task of the job, and lets them all go again.
 *
 * Owns: who belongs to the job, when all of it stands still. Tasks born meanwhile are held by
 * the kernel from their first instruction (PTRACE_O_TRACE*), so a tree that forks fast does not
 * outrun us. Who waits for a vfork child cannot be stopped: then all go on for a moment, and it is
 * tried again. Nothing is changed in any task.
 */
#include "dump.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define ATTEMPTS 40
#define PATIENCE_MS 60 /* without any news, until an attempt is given up */
#define BETWEEN_NS 2000000
#define GOING_ON_S 10 /* a vfork child executes or ends within that, or is not waited for any longer */
/* Who asks home all the time is hardly ever outside of a handler: it is looked at often rather than long. */
#define INSIDE_WITHIN_NS 2500000000
#define NUM_THREADS 20 /* of /proc/PID/stat: all that are not released yet */
#define LACKING_WITHIN_NS 2000000000
#define INSIDE_NS 100000
#define INSIDE_MOST_NS 2000000
#define TRACED (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

static struct hp_task *find(const struct hp_frozen *frozen, pid_t tid)
{
	for (unsigned n = frozen->count; n-- > 0;)
		if (frozen->tasks[n].tid == tid)
			return &frozen->tasks[n];
	return NULL;
}

static struct hp_task *add(struct hp_frozen *frozen, pid_t pid, pid_t tid)
{
	if (frozen->count == frozen->room) {
		unsigned room = frozen->room ? frozen->room * 2 : 64;
		struct hp_task *larger = realloc(frozen->tasks, room * sizeof *larger);
		if (larger == NULL)
			return NULL;
		frozen->tasks = larger;
		frozen->room = room;
	}
	frozen->tasks[frozen->count] = (struct hp_task){ .pid = pid, .tid = tid };
	return &frozen->tasks[frozen->count++];
}

static void drop(struct hp_frozen *frozen, struct hp_task *task)
{
	*task = frozen->tasks[--frozen->count];
}

/* PID 1's own helpers run its executable; the job can have no other process with it. */
static bool is_keepers(pid_t pid)
{
	char path[32];
	struct stat ours, theirs;
	snprintf(path, sizeof path, "%d/exe", (int)pid);
	return pid == 1 || pid == getpid() ||
	       (fstatat(hp_proc, path, &theirs, 0) == 0 && fstatat(hp_proc, "1/exe", &ours, 0) == 0 &&
		ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino);
}

static bool seize(struct hp_frozen *frozen, pid_t pid, pid_t tid)
{
	uint64_t tracer = 0;
	if (ptrace(PTRACE_SEIZE, tid, NULL, TRACED)) {
		if (errno == ESRCH)
			return true;
		struct hp_stat stat;
		if (hp_proc_stat(pid, tid, &stat) || stat.state == 'Z' || stat.state == 'X')
			return true;
		char *status = hp_proc_text(tid, "status", NULL);
		bool traced = status && hp_proc_number(status, "TracerPid", 10, &tracer) && tracer;
		free(status);
		if (traced)
			return hp_refuse("process %d is traced by %s", (int)pid,
					 is_keepers((pid_t)tracer) ?
						 "hpool (it was started or changed to --intercept trace)" :
						 "another process");
		return hp_refuse("process %d cannot be traced: %s", (int)pid, strerror(EPERM));
	}
	if (add(frozen, pid, tid) == NULL)
		return hp_refuse("no memory");
	(void)ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	frozen->moving++;
	return true;
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static bool some_are_left; /* they cannot be let go before we end, which does it: no other try */

static bool never_still(void)
{
	return hp_refuse("its processes do not stand still: one waits without end for a vfork child or a device");
}

/* A list of threads ends early where one of them ends while it is read (fs/proc/base.c, next_tid): who is behind it
 * would run on. So as many must be held as the process has, dead first threads apart. */
static bool has_all(const struct hp_frozen *frozen, pid_t pid)
{
	struct hp_stat stat;
	uint64_t held = 0;
	if (hp_proc_stat(pid, 0, &stat))
		return true; /* gone */
	for (unsigned n = 0; n < frozen->count; n++)
		held += frozen->tasks[n].pid == pid;
	return held + (stat.state == 'Z') >= stat.field[NUM_THREADS];
}

/* Seizes whom it does not have yet; *news if there was any, or there may be more. */
static bool sweep(struct hp_frozen *frozen, bool *news)
{
	static int64_t lacking_ns; /* since then nobody new was found where somebody is missing */
	pid_t *pids, *tids;
	int count = hp_proc_list(".", &pids);
	bool fine = count >= 0, lacks = false;
	*news = false;
	if (some_are_left)
		fine = never_still();
	for (int n = 0; n < count && fine; n++) {
		char path[32];
		if (is_keepers(pids[n]))
			continue;
		snprintf(path, sizeof path, "%d/task", (int)pids[n]);
		int threads = hp_proc_list(path, &tids);
		for (int t = 0; t < threads && fine; t++) {
			struct hp_stat stat;
			if (find(frozen, tids[t]) || hp_proc_stat(pids[n], tids[t], &stat) || stat.state == 'Z' ||
			    stat.state == 'X')
				continue;
			*news = true;
			fine = seize(frozen, pids[n], tids[t]);
		}
		if (threads >= 0)
			free(tids);
		lacks |= threads >= 0 && !has_all(frozen, pids[n]);
	}
	if (count >= 0)
		free(pids);
	if (!lacks || *news)
		lacking_ns = 0;
	else if (lacking_ns == 0)
		lacking_ns = now_ns();
	else if (now_ns() - lacking_ns > LACKING_WITHIN_NS)
		return hp_refuse("a thread that ends does not come to an end");
	*news |= lacks;
	return fine;
}

static pid_t process_of(pid_t tid)
{
	uint64_t pid = 0;
	char *status = hp_proc_text(tid, "status", NULL);
	if (status)
		hp_proc_number(status, "Tgid", 10, &pid);
	free(status);
	return (pid_t)pid;
}

static void stopped(struct hp_frozen *frozen, pid_t tid, int status)
{
	struct hp_task *task = find(frozen, tid);
	if (!WIFSTOPPED(status)) {
		if (task) {
			frozen->moving -= !task->stopped;
			drop(frozen, task);
		}
		return;
	}
	if (task == NULL) { /* born just now, and held before we heard of its birth */
		task = add(frozen, process_of(tid), tid);
		if (task == NULL)
			return;
		frozen->moving++;
	}
	int event = status >> 16, number = WSTOPSIG(status);
	const struct hp_due due = hp_due(tid);
	if (event == PTRACE_EVENT_STOP && !due.comes) {
		frozen->moving -= !task->stopped;
		task->stopped = true;
		task->stop_signal = number == SIGTRAP ? 0 : number;
		if (number == SIGTRAP && !due.any)
			hp_call_again(tid);
		return;
	}
	if (!event && number == SIGSYS && hp_take_back(tid))
		number = 0;
	/* A signal on its way arrives first, a birth is over first: the stop we want is behind it. */
	(void)ptrace(PTRACE_CONT, tid, NULL, (void *)(long)(event ? 0 : number));
	if (!event)
		(void)ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
}

/* False: not all of them within our patience. */
static bool await_stops(struct hp_frozen *frozen)
{
	sigset_t births;
	const struct timespec patience = { 0, PATIENCE_MS * 1000000 };
	sigemptyset(&births);
	sigaddset(&births, SIGCHLD);
	while (frozen->moving) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid > 0)
			stopped(frozen, tid, status);
		else if (tid < 0 && errno == ECHILD)
			return true;
		else if (sigtimedwait(&births, NULL, &patience) < 0 && errno == EAGAIN &&
			 waitpid(-1, &status, __WALL | WNOHANG | WNOWAIT) <= 0)
			return false;
	}
	return true;
}

void hp_thaw(struct hp_frozen *frozen)
{
	for (unsigned n = 0; n < frozen->count; n++)
		(void)ptrace(PTRACE_DETACH, frozen->tasks[n].tid, NULL, NULL);
	frozen->count = frozen->moving = 0;
}

/* Who did not stop must before it can be let go: it is asked to, and waited for. */
void hp_go_on(struct hp_frozen *frozen)
{
	unsigned held = 0;
	sigset_t births;
	const struct timespec patience = { 0, PATIENCE_MS * 1000000 };
	for (unsigned n = 0; n < frozen->count; n++)
		if (frozen->tasks[n].stopped)
			(void)ptrace(PTRACE_DETACH, frozen->tasks[n].tid, NULL, NULL);
		else {
			(void)ptrace(PTRACE_INTERRUPT, frozen->tasks[n].tid, NULL, NULL);
			frozen->tasks[held++] = frozen->tasks[n];
		}
	frozen->count = held;
	sigemptyset(&births);
	sigaddset(&births, SIGCHLD);
	for (int64_t until_ns = now_ns() + GOING_ON_S * 1000000000ll; frozen->count && !some_are_left;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid < 0 && errno != EINTR)
			break;
		struct hp_task *task = tid > 0 ? find(frozen, tid) : NULL;
		if (tid == 0) {
			some_are_left = now_ns() > until_ns;
			(void)sigtimedwait(&births, NULL, &patience);
		}
		if (tid <= 0)
			continue;
		if (!WIFSTOPPED(status)) {
			if (task)
				drop(frozen, task);
			continue;
		}
		int event = status >> 16;
		(void)ptrace(event == PTRACE_EVENT_STOP || event == 0 ? PTRACE_DETACH : PTRACE_CONT, tid, NULL,
			     (void *)(long)(event ? 0 : WSTOPSIG(status)));
		if (task && (event == PTRACE_EVENT_STOP || event == 0))
			drop(frozen, task);
	}
	frozen->count = frozen->moving = 0;
}

static int by_process(const void *a, const void *b)
{
	const struct hp_task *first = a, *second = b;
	if (first->pid != second->pid)
		return (first->pid > second->pid) - (first->pid < second->pid);
	/* the leader, then the others by number */
	if ((first->tid == first->pid) != (second->tid == second->pid))
		return first->tid == first->pid ? -1 : 1;
	return (first->tid > second->tid) - (first->tid < second->tid);
}

static void sort(struct hp_frozen *frozen)
{
	if (frozen->count)
		qsort(frozen->tasks, frozen->count, sizeof *frozen->tasks, by_process);
}

/* Who cannot stop yet, as it waits within the kernel, does so before its next instruction. */
bool hp_stop(struct hp_frozen *frozen)
{
	sigset_t births;
	*frozen = (struct hp_frozen){ 0 };
	sigemptyset(&births);
	sigaddset(&births, SIGCHLD);
	sigprocmask(SIG_BLOCK, &births, NULL);
	for (bool news = true; news; (void)await_stops(frozen))
		if (!sweep(frozen, &news)) {
			hp_go_on(frozen);
			return false;
		}
	sort(frozen);
	return true;
}

enum left { LEFT, NOT_NOW, NEVER };

static enum left leave_handlers(struct hp_frozen *frozen)
{
	struct timespec moment = { 0, INSIDE_NS };
	for (int64_t until_ns = now_ns() + INSIDE_WITHIN_NS; now_ns() < until_ns;) {
		unsigned inside = 0;
		for (unsigned n = 0; n < frozen->count; n++) {
			struct hp_task *task = &frozen->tasks[n];
			if (!hp_is_inside(task))
				continue;
			inside++;
			/* Also who was stopped by a signal: that cannot be deferred until a handler is left. */
			if (ptrace(PTRACE_CONT, task->tid, NULL, NULL))
				continue;
			task->stopped = false;
			frozen->moving++;
		}
		if (!inside)
			return LEFT;
		nanosleep(&moment, NULL);
		if (moment.tv_nsec < INSIDE_MOST_NS)
			moment.tv_nsec += moment.tv_nsec / 8;
		for (unsigned n = 0; n < frozen->count; n++)
			if (!frozen->tasks[n].stopped)
				(void)ptrace(PTRACE_INTERRUPT, frozen->tasks[n].tid, NULL, NULL);
		if (!await_stops(frozen))
			return NOT_NOW;
	}
	return NEVER;
}

bool hp_freeze(struct hp_frozen *frozen)
{
	const struct timespec between = { 0, BETWEEN_NS };
	sigset_t births;
	*frozen = (struct hp_frozen){ 0 };
	sigemptyset(&births);
	sigaddset(&births, SIGCHLD);
	sigprocmask(SIG_BLOCK, &births, NULL);
	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		bool news = true, fine = true;
		while (news && fine) {
			if (!sweep(frozen, &news)) {
				hp_go_on(frozen);
				return false;
			}
			fine = await_stops(frozen);
		}
		enum left left = fine ? leave_handlers(frozen) : NOT_NOW;
		if (left == LEFT) {
			sort(frozen);
			return true;
		}
		hp_go_on(frozen);
		if (left == NEVER)
			return hp_refuse("a thread waits within hpool, perhaps for a lock or the other end of a FIFO");
		nanosleep(&between, NULL);
	}
	return never_still();
}
