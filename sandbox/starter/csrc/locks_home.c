/* Locks: what is asked of home for the job as a whole. */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "locks.h"

int64_t hp_lock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

bool hp_lock_held(const struct hp_locks *locks, const struct hp_span *span)
{
	if (span->space == HP_LOCK_WHOLE)
		return locks->whole == F_WRLCK || locks->whole == span->type;
	return hp_ranges_cover(&locks->ranges, span->first, span->last, span->type);
}

bool hp_lock_held_any(const struct hp_locks *locks)
{
	return locks->whole != F_UNLCK || locks->ranges.count;
}

/* Says to the shim whether a close may release something. */
void hp_lock_record(hp_engine *engine, struct hp_locks *locks, const struct hp_span *span, int type)
{
	struct hp_file *file = &engine->channel->files[locks->object->file];
	bool before = hp_lock_held_any(locks);

	if (span->space == HP_LOCK_WHOLE)
		locks->whole = type;
	else
		hp_ranges_set(&locks->ranges, span->first, span->last, type);
	if (hp_lock_held_any(locks) != before)
		__atomic_add_fetch(&engine->channel->locks, before ? -1u : 1u, __ATOMIC_SEQ_CST);
	if (locks->object->file && hp_lock_held_any(locks))
		__atomic_or_fetch(&file->flags, HP_FILE_LOCKED, __ATOMIC_SEQ_CST);
	else if (locks->object->file)
		__atomic_and_fetch(&file->flags, ~(uint32_t)HP_FILE_LOCKED, __ATOMIC_SEQ_CST);
	if (!before)
		pthread_cond_signal(&engine->lock_taken);
}

void hp_lock_promise(struct hp_locks *locks, const struct hp_span *span, int32_t tid, int64_t ns)
{
	unsigned at = locks->promises < HP_PROMISES ? locks->promises++ : HP_PROMISES - 1;

	locks->promised[at].span = *span;
	locks->promised[at].tid = tid;
	locks->promised[at].until_ns = hp_lock_now_ns() + ns;
}

static void apply_opened(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			 const uint8_t *body, size_t length)
{
	const struct hpw_entry *entry = reply->error || !body ? NULL : hp_wire_entry(&body, body + length);

	(void)engine;
	if (entry)
		*(struct hpw_attr *)pending->context = entry->attr;
}

/* -ESTALE: the file has no name at home any more, or another one has it. */
static int open_home(hp_engine *engine, struct hp_object *object, bool write, uint64_t *handle)
{
	struct hpw_attr attr = { 0 };
	struct hp_pending pending = { .apply = apply_opened, .context = &attr };
	int flags = object->kind == HP_DIR     ? O_RDONLY | O_DIRECTORY :
		    !(object->attr.access & 4) ? O_WRONLY :
		    write                      ? O_RDWR :
						 O_RDONLY;
	char *path = hp_object_path(object);
	uint64_t number = ++engine->next_handle;
	int error;

	if (!path)
		return -ESTALE;
	error = hp_wire_call(engine, HP_LANE_WAIT, &pending,
			     &(struct hp_request){ .head = { .op = HPW_OPEN,
							     .handle = number,
							     .arg = (uint32_t)flags,
							     .len1 = (uint32_t)strlen(path) },
						   .string1 = path });
	free(path);
	if (error)
		return error == ENOENT ? -ESTALE : -error;
	if (attr.ino != object->attr.ino || attr.dev != object->attr.dev) {
		hp_wire_close_handle(engine, number);
		return -ESTALE;
	}
	*handle = number;
	return 0;
}

struct hp_request hp_lock_request(const struct hp_locks *locks, const struct hp_span *span, int type, bool waits)
{
	struct hpw_request head = { .handle = locks->handle[span->space] };

	if (span->space == HP_LOCK_WHOLE) {
		head.op = HPW_FLOCK;
		head.arg = (type == F_WRLCK ? LOCK_EX : type == F_RDLCK ? LOCK_SH : LOCK_UN) | (waits ? 0 : LOCK_NB);
	} else {
		head.op = HPW_FCNTL_LOCK;
		head.mode = (uint32_t)type;
		head.arg = waits ? F_OFD_SETLKW : F_OFD_SETLK;
		head.offset = span->first;
		head.length = span->last == HP_LOCK_END ? 0 : span->last - span->first + 1;
	}
	return (struct hp_request){ .head = head };
}

/* A description that may only read cannot lock for writing: another takes over
 * what it holds, which is shared and so not in the way. */
static int reopen_writable(hp_engine *engine, struct hp_locks *locks)
{
	uint64_t old = locks->handle[HP_LOCK_RANGE];
	int error = open_home(engine, locks->object, true, &locks->handle[HP_LOCK_RANGE]);

	for (unsigned i = 0; !error && i < locks->ranges.count; i++) {
		struct hp_span span = { HP_LOCK_RANGE, F_RDLCK, locks->ranges.held[i].first,
					locks->ranges.held[i].last };
		struct hp_pending pending = { 0 };
		struct hp_request request = hp_lock_request(locks, &span, F_RDLCK, false);

		error = -hp_wire_call(engine, HP_LANE_WAIT, &pending, &request);
	}
	if (!error)
		locks->writable = true;
	if (old && locks->handle[HP_LOCK_RANGE] != old)
		hp_wire_close_handle(engine, old);
	return error;
}

/* By the description that carries the file's data: another one would be in the way of a lease. */
static bool by_own(struct hp_locks *locks)
{
	struct hp_object *object = locks->object;

	if (object->kind != HP_FILE_KIND || !object->handle || !object->handle_writable ||
	    (object->attr.access & 6) != 6 || object->orphan || object->nameless)
		return false;
	for (int space = 0; space < 2; space++)
		if (!locks->handle[space])
			locks->handle[space] = object->handle;
	locks->writable = locks->handle[HP_LOCK_RANGE] == object->handle;
	return true;
}

int hp_lock_make_ready(hp_engine *engine, struct hp_locks *locks, const struct hp_span *span)
{
	struct hp_object *object = locks->object;
	bool write = object->opened_writable && object->attr.access & 2;

	if (locks->handle[span->space] && (span->space == HP_LOCK_WHOLE || span->type != F_WRLCK || locks->writable))
		return 0;
	if (span->space == HP_LOCK_WHOLE)
		return by_own(locks) ? 0 : open_home(engine, object, false, &locks->handle[HP_LOCK_WHOLE]);
	if (write && !locks->handle[HP_LOCK_RANGE] && by_own(locks))
		return 0;
	if (write)
		return reopen_writable(engine, locks);
	return open_home(engine, object, false, &locks->handle[HP_LOCK_RANGE]);
}

/* In front of the question what home has, in its lane, or there already. */
static int written_first(hp_engine *engine, struct hp_object *object)
{
	hp_flush_collect(engine, object);
	if (object->bulk || object->collecting || hp_flush_deferred(object))
		return hp_flush_object(engine, object);
	return object->orphan ? 0 : -object->error;
}

/* Asks for the lock, if it is not held, and in the same breath what home says
 * of the file now. 0, -EAGAIN, -errno. */
int hp_lock_get(hp_engine *engine, struct hp_locks *locks, const struct hp_span *span)
{
	struct hp_object *object = locks->object;
	struct hpw_attr attr = { 0 };
	struct hp_pending lock = { 0 }, lease = { 0 }, look = { .apply = apply_opened, .context = &attr };
	struct hp_request request = hp_lock_request(locks, span, span->type, false);
	bool leases;
	int error = 0;

	if (locks->leased) { /* nobody else has had it, nor changed anything under it, since it was got last */
		if (!hp_lock_held(locks, span))
			hp_lock_record(engine, locks, span, span->type);
		locks->unverified = false;
		return 0;
	}
	if (object->file && hp_file_has_dirty(engine, object))
		error = written_first(engine, object);
	if (error)
		return error;
	if (!hp_lock_held(locks, span))
		hp_wire_send(engine, HP_LANE_WAIT, &lock, &request);
	else
		lock.done = true;
	leases = hp_lease_worth(locks, span);
	if (leases)
		hp_lease_ask(engine, locks, &lease);
	hp_wire_send(engine, HP_LANE_WAIT, &look,
		     &(struct hp_request){ .head = { .op = HPW_GETATTR, .handle = locks->handle[span->space] } });
	error = hp_wire_wait(engine, &lock);
	if (!error && !hp_lock_held(locks, span))
		hp_lock_record(engine, locks, span, span->type);
	else if (error == EAGAIN && span->space == HP_LOCK_WHOLE)
		hp_lock_record(engine, locks, span, F_UNLCK); /* a conversion gives the old lock up first: flock(2) */
	if (hp_wire_wait(engine, &look) == 0 && !error)
		error = -hp_revalidate(engine, object, &attr);
	if (!error) {
		locks->unverified = false;
		hp_changes_await(engine);
	}
	if (leases && hp_wire_wait(engine, &lease) == 0)
		hp_lease_began(engine, locks, error);
	return -error;
}

void hp_lock_ring(hp_engine *engine)
{
	__atomic_add_fetch(&engine->channel->lock_bell, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &engine->channel->lock_bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

struct waiting {
	struct hp_locks *locks;
	struct hp_span span;
};

static bool same_span(const struct hp_span *a, const struct hp_span *b)
{
	return a->space == b->space && a->type == b->type && a->first == b->first && a->last == b->last;
}

static void apply_granted(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			  const uint8_t *body, size_t length)
{
	struct waiting *waiting = pending->context;
	struct hp_locks *locks = waiting->locks;

	(void)body;
	(void)length;
	for (unsigned i = 0; i < locks->waiting; i++)
		if (same_span(&locks->waits[i], &waiting->span)) {
			locks->waits[i] = locks->waits[--locks->waiting];
			break;
		}
	if (!reply->error) {
		if (waiting->span.space == HP_LOCK_WHOLE || !hp_lock_held(locks, &waiting->span))
			hp_lock_record(engine, locks, &waiting->span, waiting->span.type);
		hp_lock_promise(locks, &waiting->span, 0, HP_CLAIM_NS);
		locks->unverified = true;
	}
	free(waiting);
	hp_lock_ring(engine);
}

/* Home answers when it can. Who waits hears the bell and asks again; if nobody
 * does, the watcher gives it back. */
void hp_lock_tell_when_free(hp_engine *engine, struct hp_locks *locks, const struct hp_span *span)
{
	struct hp_request request = hp_lock_request(locks, span, span->type, true);
	struct hp_pending *pending;
	struct waiting *waiting;

	for (unsigned i = 0; i < locks->waiting; i++)
		if (same_span(&locks->waits[i], span))
			return;
	if (locks->waiting == HP_WAITS)
		return; /* the waiter asks again once a second anyway */
	locks->waits[locks->waiting++] = *span;
	waiting = malloc(sizeof *waiting);
	*waiting = (struct waiting){ locks, *span };
	pending = calloc(1, sizeof *pending);
	*pending = (struct hp_pending){ .apply = apply_granted, .context = waiting, .detached = true };
	hp_wire_send(engine, HP_LANE_WAIT, pending, &request);
	if (pending->done) {
		struct hpw_reply reply = { .error = pending->error };

		apply_granted(engine, pending, &reply, NULL, 0);
		free(pending);
	}
}
