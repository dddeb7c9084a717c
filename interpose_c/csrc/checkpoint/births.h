/* By whom, and in which session, each process of a tree can be born again: births.c. */
#ifndef HPOOL_BIRTHS_H
#define HPOOL_BIRTHS_H

#include <stdbool.h>
#include <sys/types.h>

#define HP_FIRST_SESSION 1 /* PID 1's, and with it a group that is there already */

struct hp_birth {
	pid_t pid, ppid, sid;
	bool reaps;    /* it is a subreaper: it may have been given children */
	pid_t session; /* filled in: it is born there; 0: anywhere, it founds one of its own */
	bool adopted;  /* filled in: its parent is not who makes it */
	bool reaps_early; /* filled in: it must be a subreaper before those below it are made */
};

/* Parents are before their children. The number of a process that cannot be born again, or 0. */
pid_t hp_births_plan(struct hp_birth *, unsigned count);
/* Or NULL. */
const struct hp_birth *hp_birth_find(const struct hp_birth *, unsigned count, pid_t pid);
/* Whose child plays the leader of a session whose leader is gone: 1, or a process of the tree. */
pid_t hp_birth_home(const struct hp_birth *, unsigned count, pid_t session);

#endif
