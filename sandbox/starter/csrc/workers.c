/* The threads that answer the shim, and what the engine is from outside. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define MOST_WORKERS 128u
#define ABANDONED_S 120

static int64_t have_program(hp_engine *engine, struct hp_slot *slot)
{
	struct hp_where where;
	struct hp_object *object;
	int error;

	do {
		error = hp_resolve(engine, slot->base, (const char *)slot->data, slot->len1,
				   slot->arg[1] ? HP_NO_FOLLOW : HP_FOLLOW, &where);
		object = where.object;
	} while (!error && object->kind == HP_FILE_KIND && object->content == HP_CONTENT_NONE &&
		 hp_await_recall(engine));
	if (error)
		return error == HP_IS_LOCAL ? HP_LOCAL : error;
	if (object->kind == HP_SYMLINK)
		return -ELOOP;
	if (object->kind != HP_FILE_KIND || !(object->attr.access & 1))
		return -EACCES;
	if (!(object->attr.access & 4))
		return -EACCES; /* executable, not readable: nothing could be carried here */
	if (object->content == HP_CONTENT_NONE)
		hp_bundle(engine, object);
	error = hp_have_content(engine, object);
	if (!error && object->file) {
		object->executed = true;
		object->mapped++;
		error = hp_file_fill(engine, object, 0, object->attr.size, false);
	}
	return error ? error : HP_RETRY;
}

static int64_t make_usable(hp_engine *engine, struct hp_slot *slot)
{
	int how = (slot->arg[1] ? HP_NO_FOLLOW : 0) | (slot->arg[0] == HP_WANT_READ ? HP_WITH_CONTENT : 0);
	struct hp_where where;
	int error = hp_resolve(engine, slot->base, (const char *)slot->data, slot->len1, how, &where);

	if (error)
		return error == HP_IS_LOCAL ? HP_LOCAL : error;
	switch (slot->arg[0]) {
	case HP_WANT_READ:
		if (where.object->kind == HP_FILE_KIND)
			error = hp_have_content(engine, where.object);
		if (where.object->kind != HP_DIR)
			break;
		__attribute__((fallthrough)); /* to read a directory is to list it */
	case HP_WANT_LIST:
		if (where.object->kind != HP_DIR)
			return -ENOTDIR;
		error = where.object->attr.access & 4 ? hp_list(engine, where.object, true) : -EACCES;
		break;
	case HP_WANT_DIR:
		if (where.object->kind != HP_DIR)
			return -ENOTDIR;
		error = where.object->attr.access & 1 ? 0 : -EACCES;
		break;
	default:
		break;
	}
	return error ? error : HP_RETRY;
}

static int64_t tell_path(hp_engine *engine, struct hp_slot *slot)
{
	struct hp_where where;
	int error = hp_resolve(engine, slot->base, "", 0, HP_NO_FOLLOW, &where);
	char *path = error ? NULL : hp_object_path(where.object);
	size_t length = path ? strlen(path) : 0;

	if (path && length <= HP_SLOT_DATA)
		memcpy(slot->data, path, slot->reply_len = (uint32_t)length);
	free(path);
	return slot->reply_len ? 0 : -ENOENT;
}

/* Changes nothing at home, nor what is known of it. */
static bool only_reads(const struct hp_slot *slot)
{
	switch (slot->op) {
	case HP_REQ_NAME:
	case HP_REQ_EXEC:
	case HP_REQ_FILL:
	case HP_REQ_ATTR:
	case HP_REQ_REPORT:
	case HP_REQ_CRASH:
		return true;
	case HP_REQ_MAP:
		return slot->arg[2] == 0;
	default:
		return false;
	}
}

int64_t hp_engine_answer(hp_engine *engine, struct hp_slot *slot)
{
	while (!only_reads(slot) && hp_await_recall(engine))
		;
	if (engine->failed)
		return -engine->failed;
	if (slot->len1 > HP_SLOT_DATA || slot->len2 > HP_SLOT_DATA - slot->len1 || memchr(slot->data, 0, slot->len1))
		return -EINVAL;
	engine->stats.faults++;
	switch (slot->op) {
	case HP_REQ_NAME:
		return make_usable(engine, slot);
	case HP_REQ_OPEN:
		return hp_do_open(engine, slot);
	case HP_REQ_SETTLE:
		return hp_do_settle(engine, slot);
	case HP_REQ_APPEND:
		return hp_do_append(engine, slot);
	case HP_REQ_TMPFILE:
		return hp_do_nameless(engine, slot);
	case HP_REQ_EXEC:
		return have_program(engine, slot);
	case HP_REQ_ROOM: {
		int error = hp_make_room(engine, (uint64_t)slot->arg[0]);

		return error ? error : HP_RETRY;
	}
	case HP_REQ_MKDIR:
	case HP_REQ_RMDIR:
	case HP_REQ_UNLINK:
	case HP_REQ_RENAME:
	case HP_REQ_LINK:
	case HP_REQ_SYMLINK:
	case HP_REQ_MKNOD:
	case HP_REQ_BIND:
		return hp_do_change(engine, slot);
	case HP_REQ_LOCK:
	case HP_REQ_LOCKED:
	case HP_REQ_UNLOCKED:
	case HP_REQ_GETLOCK:
		return hp_do_lock(engine, slot);
	case HP_REQ_ADDRESS:
		return hp_do_address(engine, slot);
	case HP_REQ_PATH:
		return tell_path(engine, slot);
	case HP_REQ_REPORT:
		return hp_note_refusal(engine, slot);
	case HP_REQ_CRASH:
		return hp_note_crash(engine, slot);
	default:
		return hp_do_attributes(engine, slot);
	}
}

void hp_serve_begin(hp_engine *engine)
{
	engine->serving.serial++;
	engine->serving.now++;
}

void hp_serve_end(hp_engine *engine)
{
	if (--engine->serving.now > 0)
		return;
	engine->serving.quiet = engine->serving.serial;
	if (engine->serving.forsaken) {
		engine->serving.forsaken = false;
		hp_files_forsake(engine);
	}
}

/* The job may write to the slot at any time: work on a copy, write results. */
static void serve(hp_engine *engine, struct hp_slot *shared)
{
	static __thread struct hp_slot slot;
	uint32_t length;
	int64_t result;

	memcpy(&slot, shared, offsetof(struct hp_slot, data));
	length = slot.len1 > HP_SLOT_DATA || slot.len2 > HP_SLOT_DATA ? 0 : slot.len1 + slot.len2;
	if (length <= HP_SLOT_DATA)
		memcpy(slot.data, shared->data, length);
	slot.reply_len = 0;
	hp_costs_serve(&slot);
	memset(slot.value, 0, sizeof slot.value);
	pthread_mutex_lock(&engine->lock);
	hp_serve_begin(engine);
	result = hp_engine_answer(engine, &slot);
	engine->stats.asked += hp_trips > 0;
	hp_serve_end(engine);
	pthread_mutex_unlock(&engine->lock);
	memcpy(shared->value, slot.value, sizeof slot.value);
	if (slot.reply_len)
		memcpy(shared->data, slot.data, slot.reply_len);
	shared->reply_len = slot.reply_len;
	if (slot.op == HP_REQ_ATTR && result == 0)
		memcpy(shared->data, slot.data, sizeof(struct hp_attr_entry));
	shared->trips = hp_trips;
	shared->result = result;
	__atomic_store_n(&shared->state, HP_SLOT_REPLY, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &shared->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static struct hp_slot *take_request(struct hp_channel *channel)
{
	for (unsigned word = 0; word < HP_SLOTS / 64; word++) {
		uint64_t bits = __atomic_load_n(&channel->requested[word], __ATOMIC_SEQ_CST);

		while (bits) {
			unsigned index = (unsigned)__builtin_ctzll(bits);
			struct hp_slot *slot = &channel->slots[word * 64 + index];
			uint32_t expected = HP_SLOT_REQUEST;

			__atomic_and_fetch(&channel->requested[word], ~(1ull << index), __ATOMIC_SEQ_CST);
			if (__atomic_compare_exchange_n(&slot->state, &expected, HP_SLOT_TAKEN, false, __ATOMIC_SEQ_CST,
							__ATOMIC_SEQ_CST))
				return slot;
			bits &= bits - 1;
		}
	}
	return NULL;
}

/* Slots whose owner was killed before it took its answer. */
static void reclaim(hp_engine *engine)
{
	static __thread struct {
		uint64_t ticket;
		time_t since;
	} seen[HP_SLOTS];
	time_t now = time(NULL);

	for (unsigned i = 0; i < HP_SLOTS; i++) {
		struct hp_slot *slot = &engine->channel->slots[i];
		uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST);

		if (state != HP_SLOT_REPLY && state != HP_SLOT_CLAIMED)
			seen[i].since = 0;
		else if (seen[i].ticket != slot->ticket || !seen[i].since)
			seen[i].ticket = slot->ticket, seen[i].since = now;
		else if (now - seen[i].since > ABANDONED_S)
			__atomic_compare_exchange_n(&slot->state, &state, HP_SLOT_FREE, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST);
	}
}

static void *worker_main(void *argument);

static void spawn_worker(hp_engine *engine)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 256u << 10);
	__atomic_add_fetch(&engine->workers, 1, __ATOMIC_SEQ_CST);
	if (pthread_create(&thread, &attributes, worker_main, engine))
		__atomic_sub_fetch(&engine->workers, 1, __ATOMIC_SEQ_CST);
	pthread_attr_destroy(&attributes);
}

static void *worker_main(void *argument)
{
	hp_engine *engine = argument;
	struct hp_channel *channel = engine->channel;

	while (!__atomic_load_n(&engine->stopping, __ATOMIC_SEQ_CST)) {
		uint32_t bell = __atomic_load_n(&channel->doorbell, __ATOMIC_SEQ_CST);
		struct hp_slot *slot = take_request(channel);

		if (slot) {
			if (__atomic_load_n(&channel->idle_workers, __ATOMIC_SEQ_CST) == 0 &&
			    __atomic_load_n(&engine->workers, __ATOMIC_SEQ_CST) < MOST_WORKERS)
				spawn_worker(engine);
			serve(engine, slot);
			continue;
		}
		__atomic_add_fetch(&channel->idle_workers, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&channel->doorbell, __ATOMIC_SEQ_CST) == bell &&
		    syscall(SYS_futex, &channel->doorbell, FUTEX_WAIT, bell, &(struct timespec){ .tv_sec = 2 }, NULL,
			    0) &&
		    errno == ETIMEDOUT)
			reclaim(engine);
		__atomic_sub_fetch(&channel->idle_workers, 1, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_lock(&engine->lock);
	if (__atomic_sub_fetch(&engine->workers, 1, __ATOMIC_SEQ_CST) == 0)
		pthread_cond_broadcast(&engine->worker_left);
	pthread_mutex_unlock(&engine->lock);
	return NULL;
}

int hp_workers_start(hp_engine *engine)
{
	for (int i = 0; i < 4; i++)
		spawn_worker(engine);
	if (pthread_create(&engine->flusher, NULL, hp_flusher_main, engine))
		return -EAGAIN;
	engine->flusher_running = true;
	return engine->workers ? 0 : -EAGAIN;
}

void hp_engine_close(hp_engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	__atomic_store_n(&engine->stopping, 1, __ATOMIC_SEQ_CST);
	for (int lane = 0; lane < HP_LANES; lane++)
		pthread_cond_broadcast(&engine->out[lane].filled);
	pthread_cond_broadcast(&engine->kept.asked);
	pthread_mutex_unlock(&engine->lock);
}

void hp_workers_stop(hp_engine *engine)
{
	hp_engine_close(engine);
	pthread_mutex_lock(&engine->lock);
	if (!engine->failed)
		engine->failed = EIO;
	hp_wire_fail_all(engine);
	__atomic_add_fetch(&engine->channel->doorbell, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&engine->channel->dirty_bell, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &engine->channel->doorbell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	syscall(SYS_futex, &engine->channel->dirty_bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	while (__atomic_load_n(&engine->workers, __ATOMIC_SEQ_CST) || engine->kept.serves)
		pthread_cond_wait(&engine->worker_left, &engine->lock);
	pthread_mutex_unlock(&engine->lock);
	if (engine->flusher_running)
		pthread_join(engine->flusher, NULL);
	hp_locks_stop(engine);
}
