/* Locks: what the processes of the job hold of the mirror's inodes, the job as
 * a whole holds at home.
 *
 * The kernel's locks on the mirror exclude the job's processes from each other
 * and end with them, however they end. Here is asked for at home before (fcntl)
 * or after (flock) a native lock is taken; and what is held at home and natively
 * by nobody any more goes back: at once when the shim says so, else when the
 * watcher finds out. Before anything goes back, home has what the job wrote;
 * after anything is got, what others wrote is seen.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "locks.h"

#define WATCH_NS 10000000l /* a killed process's locks last so much longer */
#define PROMISE_NS 2000000000l /* between home's lock and the native one; its taker asks once more then */

/* Forgets those of a thread, and those that were not kept in time. */
static void end_promises(struct hp_locks *locks, int32_t tid)
{
	int64_t now = hp_lock_now_ns();
	unsigned kept = 0;

	for (unsigned i = 0; i < locks->promises; i++)
		if (locks->promised[i].until_ns > now && (tid == 0 || locks->promised[i].tid != tid))
			locks->promised[kept++] = locks->promised[i];
	locks->promises = kept;
}

void hp_lock_seize(hp_engine *engine, struct hp_locks *locks)
{
	while (locks->busy)
		pthread_cond_wait(&engine->changed, &engine->lock);
	locks->busy = true;
}

void hp_lock_let_go(hp_engine *engine, struct hp_locks *locks)
{
	locks->busy = false;
	pthread_cond_broadcast(&engine->changed);
}

static struct hp_locks *locks_of(hp_engine *engine, struct hp_object *object)
{
	struct hp_locks *locks = object->locks;

	if (locks)
		return locks;
	locks = calloc(1, sizeof *locks);
	locks->object = object;
	locks->whole = F_UNLCK;
	locks->next = engine->locked;
	engine->locked = locks;
	object->locks = locks;
	return locks;
}

bool hp_lock_uses(const struct hp_object *object)
{
	const struct hp_locks *locks = object->locks;

	return locks &&
	       (locks->handle[HP_LOCK_WHOLE] == object->handle || locks->handle[HP_LOCK_RANGE] == object->handle);
}

/* ---- giving back ------------------------------------------------------------ */

/* Behind the data: in its lane, and if it is in both, what is in the other is waited for. */
static void release(hp_engine *engine, struct hp_locks *locks, const struct hp_span *span, int type)
{
	struct hp_request request = hp_lock_request(locks, span, type, false);
	struct hp_pending pending = { 0 };
	bool bulk = engine->bulk_done < engine->bulk_sent;

	if (locks->leased) { /* nobody can want it, or he waits for the lease and what is sent before that goes */
		hp_lock_record(engine, locks, span, type);
		return;
	}
	if (bulk)
		hp_ordered_wait(engine);
	if (bulk || (span->space == HP_LOCK_WHOLE && type != F_UNLCK)) /* flock(2) converts in two steps */
		hp_wire_call(engine, bulk ? HP_LANE_BULK : HP_LANE_WAIT, &pending, &request);
	else
		hp_ordered_tell(engine, &request);
	hp_lock_record(engine, locks, span, type);
}

/* The first piece that home holds without need; the list is another one after its release. */
static bool release_one(hp_engine *engine, struct hp_locks *locks, const struct hp_ranges *wanted)
{
	for (unsigned i = 0; i < locks->ranges.count; i++) {
		struct hp_held held = locks->ranges.held[i];
		uint64_t end;

		for (uint64_t at = held.first; at <= held.last; at = end + 1) {
			int type = hp_ranges_type(wanted, at, &end);
			struct hp_span span = { HP_LOCK_RANGE, type, at, end < held.last ? end : held.last };

			if (type != held.type && type != F_WRLCK) {
				release(engine, locks, &span, type);
				return true;
			}
		}
	}
	return false;
}

/* True if home holds more than the job's processes and promises do. */
static bool too_much(hp_engine *engine, struct hp_locks *locks, int *whole, struct hp_ranges *wanted)
{
	int fd = hp_mirror_open(engine, locks->object, O_RDONLY | O_NONBLOCK);
	bool more;

	*wanted = (struct hp_ranges){ 0 };
	*whole = locks->whole;
	if (fd >= 0 && locks->whole != F_UNLCK)
		*whole = hp_native_flock(engine->channel, fd);
	else if (fd < 0)
		*whole = F_UNLCK; /* unlinked and closed */
	if (fd >= 0 && locks->ranges.count)
		hp_native_ranges(fd, wanted);
	if (fd >= 0)
		close(fd);
	end_promises(locks, 0);
	for (unsigned i = 0; i < locks->promises; i++) {
		struct hp_span *span = &locks->promised[i].span;

		if (span->space == HP_LOCK_RANGE)
			hp_ranges_raise(wanted, span->first, span->last, span->type);
		else if (*whole == F_UNLCK || span->type == F_WRLCK)
			*whole = span->type;
	}
	if (locks->whole == F_UNLCK || *whole == F_WRLCK)
		*whole = locks->whole;
	more = *whole != locks->whole;
	for (unsigned i = 0; i < locks->ranges.count && !more; i++)
		more = !hp_ranges_cover(wanted, locks->ranges.held[i].first, locks->ranges.held[i].last,
					locks->ranges.held[i].type);
	return more;
}

static void settle(hp_engine *engine, struct hp_locks *locks)
{
	struct hp_ranges wanted;
	struct hp_span all = { .space = HP_LOCK_WHOLE };
	int whole;

	if (!hp_lock_held_any(locks))
		return;
	if (too_much(engine, locks, &whole, &wanted)) {
		free(wanted.held);
		hp_flush_dirty(engine); /* also of other files: a lock often stands for those */
		too_much(engine, locks, &whole, &wanted);
		if (whole != locks->whole)
			release(engine, locks, &all, whole);
		while (release_one(engine, locks, &wanted))
			;
	}
	free(wanted.held);
}

void hp_locks_settle(hp_engine *engine)
{
	for (struct hp_locks *locks = engine->locked; locks; locks = locks->next) {
		if (!hp_lock_held_any(locks))
			continue;
		hp_lock_seize(engine, locks);
		settle(engine, locks);
		hp_lock_let_go(engine, locks);
	}
}

static void *watcher_main(void *argument)
{
	hp_engine *engine = argument;

	pthread_mutex_lock(&engine->lock);
	while (!engine->stopping) {
		hp_leases_recalled(engine);
		if (engine->recalls == 0 &&
		    (__atomic_load_n(&engine->channel->locks, __ATOMIC_SEQ_CST) == 0 || engine->failed)) {
			pthread_cond_wait(&engine->lock_taken, &engine->lock);
			continue;
		}
		hp_locks_settle(engine);
		pthread_mutex_unlock(&engine->lock);
		nanosleep(&(struct timespec){ .tv_nsec = WATCH_NS }, NULL);
		pthread_mutex_lock(&engine->lock);
	}
	pthread_mutex_unlock(&engine->lock);
	return NULL;
}

static int64_t take(hp_engine *engine, struct hp_object *object, const struct hp_span *span, struct hp_slot *slot)
{
	struct hp_locks *locks = locks_of(engine, object);
	int error = 0;

	hp_lock_seize(engine, locks);
	end_promises(locks, slot->tid);
	if (span->space == HP_LOCK_RANGE)
		hp_lock_promise(locks, span, slot->tid, PROMISE_NS);
	slot->value[0] = __atomic_load_n(&engine->channel->lock_bell, __ATOMIC_SEQ_CST);
	if (object->kind == HP_FILE_KIND && object->content != HP_CONTENT_NONE)
		error = hp_file_number(engine, object); /* from now on its readers ask before they read */
	if (!error && (!hp_lock_held(locks, span) || locks->unverified))
		error = hp_lock_make_ready(engine, locks, span);
	if (error == -ESTALE) {
		error = 0; /* nobody else can open it any more: the native lock is all there is */
	} else if (!error && (!hp_lock_held(locks, span) || locks->unverified)) {
		error = hp_lock_get(engine, locks, span);
		if (error == -EAGAIN && slot->arg[4])
			hp_lock_tell_when_free(engine, locks, span);
	}
	if (error)
		end_promises(locks, slot->tid);
	else if (span->space == HP_LOCK_WHOLE && span->type == F_RDLCK && locks->whole == F_WRLCK)
		settle(engine, locks); /* natively it is shared by now */
	slot->value[1] = object->file;
	hp_lease_publish(engine, locks);
	hp_lock_let_go(engine, locks);
	return error;
}

/* ---- from the shim ---------------------------------------------------------- */

/* value[]: type, first, last, pid; F_UNLCK if nobody is in the way. */
static int64_t ask_who(hp_engine *engine, struct hp_object *object, const struct hp_span *span, struct hp_slot *slot)
{
	struct hp_locks *locks = locks_of(engine, object);
	struct hp_pending pending = { .apply = hp_apply_data };
	struct flock *found;
	int error;

	hp_lock_seize(engine, locks);
	slot->value[0] = F_UNLCK;
	if (locks->leased) {
		hp_lock_let_go(engine, locks);
		return 0;
	}
	error = hp_lock_make_ready(engine, locks, &(struct hp_span){ .space = HP_LOCK_RANGE, .type = F_RDLCK });
	if (!error) {
		struct hp_request request = hp_lock_request(locks, span, span->type, false);

		request.head.arg = F_OFD_GETLK;
		error = -hp_wire_call(engine, HP_LANE_WAIT, &pending, &request);
	}
	found = (struct flock *)pending.data;
	if (!error && pending.data_length == sizeof *found && found->l_type != F_UNLCK) {
		slot->value[0] = (uint64_t)found->l_type;
		slot->value[1] = (uint64_t)found->l_start;
		slot->value[2] = found->l_len ? (uint64_t)(found->l_start + found->l_len - 1) : HP_LOCK_END;
		slot->value[3] = (uint64_t)found->l_pid;
	}
	free(pending.data);
	hp_lock_let_go(engine, locks);
	return error == -ESTALE ? 0 : error;
}

int64_t hp_do_lock(hp_engine *engine, struct hp_slot *slot)
{
	struct hp_object *object = hp_object_by_inode(engine, slot->base);
	struct hp_span span = { (int)slot->arg[0], (int)slot->arg[1], (uint64_t)slot->arg[2], (uint64_t)slot->arg[3] };
	int64_t result = 0;

	if (!object || object->local || (object->kind != HP_FILE_KIND && object->kind != HP_DIR))
		return HP_LOCAL;
	if ((span.space != HP_LOCK_WHOLE && span.space != HP_LOCK_RANGE) || span.first > span.last ||
	    span.last > HP_LOCK_END || span.type < F_RDLCK || span.type > F_UNLCK)
		return -EINVAL;
	if (span.type == F_UNLCK && slot->op != HP_REQ_UNLOCKED)
		return -EINVAL;
	if (!engine->lock_watcher_running && pthread_create(&engine->lock_watcher, NULL, watcher_main, engine) == 0)
		engine->lock_watcher_running = true;
	switch (slot->op) {
	case HP_REQ_LOCK:
		return take(engine, object, &span, slot);
	case HP_REQ_GETLOCK:
		return ask_who(engine, object, &span, slot);
	default:
		break;
	}
	if (!object->locks)
		return 0;
	hp_lock_seize(engine, object->locks);
	end_promises(object->locks, slot->tid);
	if (slot->op == HP_REQ_UNLOCKED)
		settle(engine, object->locks);
	else if (object->locks->handle[span.space] && !hp_lock_held(object->locks, &span))
		result = -EAGAIN;
	else if (span.type == F_RDLCK)
		settle(engine, object->locks); /* it may have been a lock for writing */
	hp_lock_let_go(engine, object->locks);
	return result;
}

/* The link is gone: who waits is to hear of it. */
void hp_locks_fail(hp_engine *engine)
{
	hp_lock_ring(engine);
}

void hp_locks_stop(hp_engine *engine)
{
	struct hp_locks *next;

	pthread_mutex_lock(&engine->lock);
	pthread_cond_signal(&engine->lock_taken);
	pthread_mutex_unlock(&engine->lock);
	if (engine->lock_watcher_running)
		pthread_join(engine->lock_watcher, NULL);
	for (struct hp_locks *locks = engine->locked; locks; locks = next) {
		next = locks->next;
		free(locks->ranges.held);
		free(locks);
	}
}
