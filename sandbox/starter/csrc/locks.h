/* Between locks.c and locks_home.c: what the job holds of one file, natively and at home. */
#ifndef HPOOL_ENGINE_LOCKS_H
#define HPOOL_ENGINE_LOCKS_H

#include <fcntl.h>

#include "internal.h"

#define HP_PROMISES 32u
#define HP_WAITS 32u
#define HP_CLAIM_NS 200000000l /* a lock that was waited for, until the waiter comes for it */

struct hp_span {
	int space, type; /* enum hp_lock_space; F_RDLCK, F_WRLCK */
	uint64_t first, last;
};

struct hp_locks {
	struct hp_locks *next;
	struct hp_object *object;
	uint64_t handle[2]; /* at home, for each space; 0 none */
	bool writable; /* the one for ranges */
	bool busy; /* a change is on its way to home */
	bool unverified; /* home gave it while nobody looked at the content */
	bool leased; /* nobody else has the file open: leases.c */
	bool recalled; /* somebody wants to */
	unsigned gets, lease_at, lease_pause; /* locks that home gave; with which a lease is asked for next */
	int whole; /* flock at home */
	struct hp_ranges ranges; /* fcntl at home */
	struct {
		struct hp_span span;
		int32_t tid; /* 0: nobody yet */
		int64_t until_ns;
	} promised[HP_PROMISES];
	unsigned promises;
	struct hp_span waits[HP_WAITS]; /* asked of home and not answered */
	unsigned waiting;
};

bool hp_lock_held(const struct hp_locks *, const struct hp_span *);
bool hp_lock_held_any(const struct hp_locks *);
void hp_lock_record(hp_engine *, struct hp_locks *, const struct hp_span *, int type);
void hp_lock_promise(struct hp_locks *, const struct hp_span *, int32_t tid, int64_t ns);
int64_t hp_lock_now_ns(void);
void hp_lock_ring(hp_engine *);

/* leases.c */
bool hp_lease_worth(struct hp_locks *,
		    const struct hp_span *); /* to be asked for with the lock that is asked for now */
void hp_lease_ask(hp_engine *, struct hp_locks *, struct hp_pending *);
void hp_lease_publish(hp_engine *, const struct hp_locks *); /* if there is one: to the shim */
void hp_lease_began(hp_engine *, struct hp_locks *,
		    int error); /* the lock is got, and what there was to know is known */

/* locks.c */
void hp_lock_seize(hp_engine *, struct hp_locks *); /* one thread at a time changes what is held */
void hp_lock_let_go(hp_engine *, struct hp_locks *);

/* locks_home.c */
int hp_lock_make_ready(hp_engine *, struct hp_locks *, const struct hp_span *);
struct hp_request hp_lock_request(const struct hp_locks *, const struct hp_span *, int type, bool waits);
int hp_lock_get(hp_engine *, struct hp_locks *, const struct hp_span *);
void hp_lock_tell_when_free(hp_engine *, struct hp_locks *, const struct hp_span *);

#endif
