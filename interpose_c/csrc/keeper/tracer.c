/* The tracer: holds a tree of processes by ptrace and meets their stops.
 *
 * A process of its own beside PID 1, for each tree that asked: it begins with one
 * process, whose descendants it gets by themselves. Whatever one of them is at, no other
 * waits for it: a stop is answered with a few calls of the kernel's, and then
 * the next one. The tree dies with it (PTRACE_O_EXITKILL), it ends with the tree.
 *
 * Owns: stops, births, ends, freezing a process that is taken over. Leaves to others:
 * system calls (calls.c), the programs' own rules (rules.c), who may ask (summon.c).
 */
#include "tracer.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define OPTIONS \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEEXEC)
/* Linux 6.4; Debian 12's headers are older. */
#define SET_DISPATCH 0x4210
#define GET_DISPATCH 0x4211

struct dispatch_config { /* struct ptrace_sud_config */
	uint64_t mode, selector, offset, length;
};

/* A process that is taken over while it runs: all its tasks but `holder` are kept stopped. */
static pid_t frozen;
static struct hp_task *holder;

void hp_task_go_on(struct hp_task *task)
{
	task->stopped = task->held = false;
	if (task->listens)
		ptrace(PTRACE_LISTEN, task->tid, NULL, NULL);
	else
		ptrace(PTRACE_CONT, task->tid, NULL, (void *)(long)task->signal);
}

/* ---- taking over ------------------------------------------------------------------- */

static void interrupt_other(struct hp_task *task, void *none)
{
	(void)none;
	if (task != holder && task->process == frozen && !task->stopped)
		ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL);
}

static void count_running(struct hp_task *task, void *count)
{
	*(unsigned *)count += task != holder && task->process == frozen && !task->stopped;
}

static void count_others(struct hp_task *task, void *count)
{
	*(unsigned *)count += task != holder && task->process == frozen;
}

static void go_on_when_alone(void)
{
	unsigned running = 0;
	if (holder == NULL || !holder->holds)
		return;
	hp_tasks_each(count_running, &running);
	if (running)
		return;
	holder->holds = false;
	hp_task_go_on(holder);
}

static void let_go(struct hp_task *task, void *none)
{
	(void)none;
	if (task->held)
		hp_task_go_on(task);
}

static void thaw(void)
{
	frozen = 0;
	holder = NULL;
	hp_tasks_each(let_go, NULL);
}

long hp_hold_others(struct hp_task *task)
{
	struct dispatch_config config;
	unsigned others = 0;
	if (holder != NULL)
		return -EBUSY;
	holder = task;
	frozen = task->process;
	hp_tasks_each(count_others, &others);
	/* Without it only a task itself can end its dispatch. */
	if (others && ptrace(GET_DISPATCH, task->tid, (void *)sizeof config, &config)) {
		thaw();
		return -EOPNOTSUPP;
	}
	task->holds = true;
	hp_tasks_each(interrupt_other, NULL);
	return 0;
}

/* SIGSYS that dispatch raised before it was ended: the call is made again instead. */
#define HP_SYS_USER_DISPATCH 2 /* si_code */

static bool is_from_ended_dispatch(const struct hp_task *task)
{
	struct dispatch_config config = { .mode = 1 };
	struct user_regs_struct regs;
	siginfo_t info;
	if (!task->entry || ptrace(PTRACE_GETSIGINFO, task->tid, NULL, &info) || info.si_code != HP_SYS_USER_DISPATCH ||
	    ptrace(GET_DISPATCH, task->tid, (void *)sizeof config, &config) || config.mode != 0 ||
	    ptrace(PTRACE_GETREGS, task->tid, NULL, &regs) || regs.rip != (uint64_t)(uintptr_t)info.si_call_addr)
		return false; /* one that the shim sends arrives in the shim */
	regs.rip -= 2;
	return ptrace(PTRACE_SETREGS, task->tid, NULL, &regs) == 0;
}

/* In the shim or outside of it, %gs has led to the block until now. Whoever stands before the delivery
 * of a SIGSYS of dispatch would meet the program's own action. */
static void take(struct hp_task *task, void *none)
{
	struct dispatch_config off = { 0, 0, 0, 0 };
	struct user_regs_struct regs;
	(void)none;
	if (!task->held)
		return;
	hp_task_inherit(task, holder);
	if (ptrace(PTRACE_GETREGS, task->tid, NULL, &regs) == 0)
		task->block = regs.gs_base;
	ptrace(SET_DISPATCH, task->tid, (void *)sizeof off, &off);
	if (task->signal == SIGSYS && is_from_ended_dispatch(task))
		task->signal = 0;
}

long hp_take_others(struct hp_task *task)
{
	if (task != holder)
		return -EINVAL;
	hp_tasks_each(take, NULL);
	thaw();
	return 0;
}

/* ---- births and ends -------------------------------------------------------------------- */

/* After a stop, when nothing more is to be looked at. */
static void settle(struct hp_task *task)
{
	if (task->waits_for_parent)
		return;
	if (frozen && task != holder && task->process == frozen)
		task->held = true;
	else if (!task->holds)
		hp_task_go_on(task);
	go_on_when_alone();
}

static void born(struct hp_task *parent, bool may_be_thread)
{
	unsigned long tid = 0;
	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &tid))
		return;
	struct hp_task *child = hp_task_get((pid_t)tid);
	if (child == NULL)
		return;
	/* Where nobody has rules it does not wait: it may have run on, and set some itself, before this. */
	struct hp_rules *own = hp_rules_hold(child->rules);
	hp_task_inherit(child, parent);
	if (own != NULL) {
		hp_rules_release(child->rules);
		child->rules = own;
	}
	/* One that shares memory without being a thread counts as one: it is frozen with it. */
	child->process = may_be_thread ? parent->process : child->tid;
	if (child->waits_for_parent) {
		child->waits_for_parent = false;
		settle(child);
	}
}

/* Its parent was killed before it could say so. */
static void adopt_orphan(struct hp_task *child, void *dead)
{
	const struct hp_task *parent = dead;
	if (!child->waits_for_parent || child == parent)
		return;
	pid_t process = hp_process_of(child->tid);
	if (process != parent->process && hp_task_find(hp_parent_of(child->tid)) != NULL)
		return; /* not this one's */
	hp_task_inherit(child, parent);
	child->waits_for_parent = false;
	hp_task_go_on(child);
}

static void ended(pid_t tid)
{
	struct hp_task *task = hp_task_find(tid);
	if (task == NULL)
		return;
	hp_tasks_each(adopt_orphan, task);
	if (task == holder)
		thaw();
	hp_task_forget(tid);
	go_on_when_alone();
}

/* A new program: nothing of the old one's shim holds, its rules do. Whichever thread
 * it was, it has the number of the first now. */
static void became_another(struct hp_task *task)
{
	unsigned long former = 0;
	struct hp_task *was = NULL;
	if (ptrace(PTRACE_GETEVENTMSG, task->tid, NULL, &former) == 0 && (pid_t)former != task->tid)
		was = hp_task_find((pid_t)former);
	if (was != NULL) {
		hp_task_inherit(task, was);
		if (was == holder)
			thaw();
		hp_task_forget(was->tid);
	}
	task->text_start = task->text_end = task->entry = task->block = 0;
	task->dispatch = (struct hp_own_dispatch){ .on = false };
	task->process = task->tid;
}

static void stopped(pid_t tid, int status)
{
	struct hp_task *task = hp_task_find(tid);
	bool is_new = task == NULL;
	int signal = WSTOPSIG(status);
	if (is_new)
		task = hp_task_get(tid);
	if (task == NULL) { /* no memory: what we cannot follow must not run */
		kill(tid, SIGKILL);
		return;
	}
	task->stopped = true;
	task->listens = false;
	task->signal = 0;
	switch (status >> 16) {
	case PTRACE_EVENT_SECCOMP:
		hp_call_stopped(task);
		break;
	case PTRACE_EVENT_FORK:
		born(task, false);
		break;
	case PTRACE_EVENT_VFORK:
		born(task, false);
		if (frozen == task->process && task != holder) {
			/* the child uses this memory: it goes on until it needs it no more, and then its parent stops */
			hp_task_go_on(task);
			ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL);
			return;
		}
		break;
	case PTRACE_EVENT_CLONE:
		born(task, true);
		break;
	case PTRACE_EVENT_EXEC:
		became_another(task);
		break;
	case PTRACE_EVENT_STOP:
		task->listens = signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
		task->waits_for_parent = is_new && (frozen || hp_rules_exist());
		break;
	default:
		task->signal = signal == SIGSYS && is_from_ended_dispatch(task) ? 0 : signal;
		break;
	}
	settle(task);
}

/* ---- the beginning ------------------------------------------------------------------------ */

/* 1 it is new, 0 it is not or is gone, -errno. */
static int seize(pid_t tid, pid_t process)
{
	if (hp_task_find(tid) != NULL)
		return 0;
	int failed = ptrace(PTRACE_SEIZE, tid, NULL, (void *)OPTIONS) ? errno : 0;
	if (failed == ESRCH)
		return 0; /* gone meanwhile */
	/* A thread that one of ours has made is ours already. */
	if (failed && tid == process)
		return -failed;
	struct hp_task *task = hp_task_get(tid);
	if (task != NULL)
		task->process = process;
	return task ? 1 : -ENOMEM;
}

/* All tasks, also those that are born meanwhile: until a look finds no new one. */
static int seize_all(pid_t process)
{
	char path[32];
	int failed = seize(process, process);
	if (failed < 0)
		return -failed;
	snprintf(path, sizeof path, "/proc/%d/task", (int)process);
	for (bool found_more = true; found_more;) {
		DIR *tasks = opendir(path);
		found_more = false;
		for (struct dirent *entry = tasks ? readdir(tasks) : NULL; entry; entry = readdir(tasks))
			if (atoi(entry->d_name) > 0 && seize(atoi(entry->d_name), process) == 1)
				found_more = true;
		if (tasks != NULL)
			closedir(tasks);
	}
	return hp_task_find(process) ? 0 : ESRCH;
}

_Noreturn void hp_tracer_run(pid_t process, int answer)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	prctl(PR_SET_NAME, "hpool-tracer", 0, 0, 0);
	int failed = seize_all(process);
	(void)!write(answer, &failed, sizeof failed);
	close(answer);
	if (failed)
		_exit(1);
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno != EINTR)
			_exit(0); /* nobody is left */
		if (tid < 0)
			continue;
		if (WIFSTOPPED(status))
			stopped(tid, status);
		else
			ended(tid);
	}
}
