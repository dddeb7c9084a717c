/* The tracer's files among themselves. One tracer serves one tree of processes. */
#ifndef HPOOL_KEEPER_TRACER_H
#define HPOOL_KEEPER_TRACER_H

#include "keeper.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/user.h>

#include "hpool/tracer.h"

/* ---- rules.c: filters that the job's programs set for themselves --------------- */
/* Newest first; shared by whoever inherited them. */
struct hp_rules;

/* Checks the program as the kernel would. The result holds one reference to `older`
 * and is held once; NULL with errno. */
struct hp_rules *hp_rules_add(struct hp_rules *older, const struct sock_filter *code, size_t length) HP_MUST_CHECK;
struct hp_rules *hp_rules_add_strict(struct hp_rules *older) HP_MUST_CHECK;
bool hp_rules_exist(void); /* somebody has some */
struct hp_rules *hp_rules_hold(struct hp_rules *);
void hp_rules_release(struct hp_rules *);
/* The action with its data that all of them together ask for. */
#define HP_STRICT_KILLS 0x80010000u /* what strict mode does: SIGKILL */
uint32_t hp_rules_judge(const struct hp_rules *, const struct seccomp_data *);

/* ---- tasks.c: who is traced ----------------------------------------------------- */
struct hp_own_dispatch {
	bool on;
	uint64_t start, length, selector;
};

struct hp_task {
	pid_t tid, process; /* `process`: as far as known, see tasks.c */
	bool stopped;
	bool waits_for_parent; /* born before its parent said so */
	bool holds;        /* waits until the others of its process are stopped */
	bool held;        /* stopped for such a one */
	bool listens;        /* stopped as by SIGSTOP */
	int signal;        /* to be delivered when it goes on */
	uint64_t text_start, text_end, entry, block; /* what it said of the shim; 0: none yet */
	struct hp_rules *rules;
	struct hp_own_dispatch dispatch;
	uint64_t verdict; /* of the last call that was decided against */
	uint64_t number, address;
	struct hp_task *next;
};

struct hp_task *hp_task_find(pid_t tid);
/* Finds or makes; NULL: no memory. */
struct hp_task *hp_task_get(pid_t tid);
void hp_task_forget(pid_t tid);
/* What a new task has from the one that made it. */
void hp_task_inherit(struct hp_task *child, const struct hp_task *parent);
/* Calls for each; `visit` may not add or remove. */
void hp_tasks_each(void (*visit)(struct hp_task *, void *), void *with);
/* The kernel is asked. */
pid_t hp_process_of(pid_t tid);
pid_t hp_parent_of(pid_t tid);

/* ---- calls.c: a stopped system call --------------------------------------------- */
void hp_call_stopped(struct hp_task *);

/* ---- tracer.c -------------------------------------------------------------------- */
/* Traces `process` and all it begets, until none is left. Answers on `answer` (an int)
 * once it holds all tasks, closes it, and never returns. */
_Noreturn void hp_tracer_run(pid_t process, int answer);
void hp_task_go_on(struct hp_task *);
/* All tasks of its process but itself are to stop; it goes on when they have. 0 or -errno. */
long hp_hold_others(struct hp_task *);
/* They go on, without dispatch. */
long hp_take_others(struct hp_task *);

#endif
