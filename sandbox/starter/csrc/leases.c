/* Leases: as long as nobody else has a file open at home, the job's locks of it are the job's own affair.
 *
 * Home holds a lease of its kernel on the description that carries the file's data: who opens the file
 * there waits until it has been given back. Meanwhile locks are natively held, and home hears nothing of
 * them. When home recalls it, everything that the job wrote goes home, then the
 * locks that are held at that moment, then the lease, in this order in one lane. So whoever waited finds
 * what he would have found had home known each lock.
 *
 * Nobody asks here for locks of ranges either (HP_FILE_PRIVATE): they are native ones, and looked for when it matters.
 *
 * One is asked for along with a lock that home is asked for anyway, and in front of the look at the file:
 * what home says of it then stays true.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "locks.h"

#define FIRST_AT 2u /* locks: one alone is not worth it */
#define LONGEST_PAUSE 256u
#define LOCKERS_NS 200000000l /* for a call of one kernel lock; longer takes only who was killed in its midst */
#define LOOK_NS 10000000l

bool hp_lease_worth(struct hp_locks *locks, const struct hp_span *span)
{
	struct hp_object *object = locks->object;

	if (!locks->lease_at)
		locks->lease_at = FIRST_AT;
	if (++locks->gets < locks->lease_at || locks->waiting || object->kind != HP_FILE_KIND || !object->handle ||
	    !object->handle_writable)
		return false;
	return locks->handle[span->space] == object->handle && locks->handle[HP_LOCK_RANGE] == object->handle &&
	       (!locks->handle[HP_LOCK_WHOLE] || locks->handle[HP_LOCK_WHOLE] == object->handle);
}

static struct hp_request lease_request(const struct hp_locks *locks, uint32_t arg)
{
	return (struct hp_request){ .head = { .op = HPW_LEASE, .handle = locks->handle[HP_LOCK_RANGE], .arg = arg } };
}

/* Who gets none, or loses one, asks less and less often: others use the file too. */
void hp_lease_ask(hp_engine *engine, struct hp_locks *locks, struct hp_pending *pending)
{
	struct hp_request request = lease_request(locks, 1);

	if (locks->lease_pause < LONGEST_PAUSE)
		locks->lease_pause = locks->lease_pause * 2 + 2;
	locks->lease_at = locks->gets + locks->lease_pause;
	locks->recalled = false;
	hp_wire_send(engine, HP_LANE_WAIT, pending, &request);
}

void hp_lease_publish(hp_engine *engine, const struct hp_locks *locks)
{
	if (locks->leased && locks->object->file)
		__atomic_or_fetch(&engine->channel->files[locks->object->file].flags, HP_FILE_PRIVATE,
				  __ATOMIC_SEQ_CST);
}

/* From now on who takes a lock asks. */
static void unpublish(hp_engine *engine, const struct hp_locks *locks)
{
	struct hp_file *file = &engine->channel->files[locks->object->file];
	int64_t until_ns = hp_lock_now_ns() + LOCKERS_NS;
	uint32_t seen;

	if (!locks->object->file)
		return;
	__atomic_and_fetch(&file->flags, ~(uint32_t)HP_FILE_PRIVATE, __ATOMIC_SEQ_CST);
	while ((seen = __atomic_load_n(&file->lockers, __ATOMIC_SEQ_CST)) != 0 && hp_lock_now_ns() < until_ns) {
		pthread_mutex_unlock(&engine->lock);
		syscall(SYS_futex, &file->lockers, FUTEX_WAIT, seen, &(struct timespec){ .tv_nsec = LOOK_NS }, NULL, 0);
		pthread_mutex_lock(&engine->lock);
	}
	__atomic_store_n(&file->lockers, 0, __ATOMIC_SEQ_CST);
}

static struct hp_ranges held_natively(hp_engine *engine, const struct hp_locks *locks)
{
	int fd = hp_mirror_open(engine, locks->object, O_RDONLY | O_NONBLOCK);
	struct hp_ranges native = { 0 };

	if (fd >= 0) {
		hp_native_ranges(fd, &native);
		close(fd);
	}
	return native;
}

/* What home is to know of, taken from where it is true. */
static void write_down(hp_engine *engine, struct hp_locks *locks)
{
	struct hp_ranges native = held_natively(engine, locks);
	struct hp_span all = { .space = HP_LOCK_RANGE, .last = HP_LOCK_END };

	hp_lock_record(engine, locks, &all, F_UNLCK);
	for (unsigned i = 0; i < native.count; i++) {
		const struct hp_held *held = &native.held[i];
		struct hp_span span = { HP_LOCK_RANGE, held->type, held->first, held->last };

		hp_lock_record(engine, locks, &span, held->type);
	}
	free(native.held);
}

void hp_lease_began(hp_engine *engine, struct hp_locks *locks, int error)
{
	if (error) {
		struct hp_request request = lease_request(locks, 0);

		hp_ordered_tell(engine, &request);
		return;
	}
	locks->leased = true;
	engine->leases++;
	hp_lease_publish(engine, locks);
	if (locks->recalled) {
		engine->recalls++;
		pthread_cond_signal(&engine->lock_taken);
	}
}

static void send_range(hp_engine *engine, const struct hp_locks *locks, int type, uint64_t first, uint64_t last)
{
	struct hp_span span = { HP_LOCK_RANGE, type, first, last };
	struct hp_request request = hp_lock_request(locks, &span, type, false);

	hp_ordered_tell(engine, &request);
}

/* Home has locks of before the lease, or all of the file: now exactly what is held. */
static void state_locks(hp_engine *engine, const struct hp_locks *locks)
{
	struct hp_span whole = { .space = HP_LOCK_WHOLE };
	struct hp_request request = hp_lock_request(locks, &whole, locks->whole, false);
	uint64_t at = 0;

	for (unsigned i = 0; i < locks->ranges.count; i++) {
		const struct hp_held *held = &locks->ranges.held[i];

		if (held->first > at)
			send_range(engine, locks, F_UNLCK, at, held->first - 1);
		send_range(engine, locks, held->type, held->first, held->last);
		at = held->last + 1;
	}
	if (at <= HP_LOCK_END)
		send_range(engine, locks, F_UNLCK, at, HP_LOCK_END);
	if (!request.head.handle)
		request.head.handle = locks->handle[HP_LOCK_RANGE];
	hp_ordered_tell(engine, &request);
}

static void give_back(hp_engine *engine, struct hp_locks *locks)
{
	struct hp_request request;

	hp_lock_seize(engine, locks);
	if (locks->leased) {
		unpublish(engine, locks);
		write_down(engine, locks);
		hp_flush_dirty(engine); /* also of other files: a lock often stands for those */
		hp_written_first(engine, true);
		state_locks(engine, locks);
		request = lease_request(locks, 0);
		hp_ordered_tell(engine, &request);
		locks->leased = false;
		engine->leases--;
		engine->recalls -= locks->recalled;
		locks->recalled = false;
	}
	hp_lock_let_go(engine, locks);
}

void hp_leases_recalled(hp_engine *engine)
{
	for (struct hp_locks *locks = engine->locked; locks && engine->recalls; locks = locks->next)
		if (locks->leased && locks->recalled)
			give_back(engine, locks);
}

void hp_leases_end(hp_engine *engine)
{
	for (struct hp_locks *locks = engine->locked; locks && engine->leases; locks = locks->next)
		if (locks->leased)
			give_back(engine, locks);
}

void hp_apply_recall(hp_engine *engine, const uint8_t *body, size_t length)
{
	uint64_t handle;

	if (length < sizeof handle)
		return;
	memcpy(&handle, body, sizeof handle);
	for (struct hp_locks *locks = engine->locked; locks; locks = locks->next) {
		if (locks->handle[HP_LOCK_RANGE] != handle || locks->recalled)
			continue;
		locks->recalled = true;
		engine->recalls += locks->leased;
		pthread_cond_signal(&engine->lock_taken);
	}
}

bool hp_lock_is_private(hp_engine *engine)
{
	bool held = false;

	for (const struct hp_locks *locks = engine->locked; locks && engine->leases && !held; locks = locks->next)
		if (locks->leased) {
			struct hp_ranges native = held_natively(engine, locks);

			held = native.count || locks->whole != F_UNLCK;
			free(native.held);
		}
	return held;
}
