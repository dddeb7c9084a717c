/* Where the time went: what the job's threads waited for, and for which paths.
 *
 * Owns the sums and the table. Counts only where a thread waits anyway, or where
 * a piece of content travels. The table is bounded: in a full set the entry that
 * cost least makes room, and its sums go to `others`; so what costs much stays.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <time.h>

#include "internal.h"

__thread uint32_t hp_trips;
static __thread const struct hp_slot *serving; /* NULL: not for a call of the job's */
static __thread int stage;                     /* HP_COST_START, HP_COST_END, or 0 */
static __thread bool waits_on;                 /* for what was asked for before */

uint64_t hp_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void hp_costs_serve(const struct hp_slot *slot)
{
	serving = slot;
	waits_on = false;
	hp_trips = 0;
}

void hp_costs_stage(int now)
{
	stage = now;
	waits_on = false;
}

int hp_wait_kind_of(const struct hp_pending *pending)
{
	switch (pending->op) {
	case HPW_RESOLVE:
		return pending->flags & HPW_CONTENT && !pending->only_looks ? HP_WAIT_CONTENT : HP_WAIT_NAMES;
	case HPW_LIST:
		return HP_WAIT_LISTINGS;
	case HPW_READ:
	case HPW_OPEN:
	case HPW_BUNDLE:
		return HP_WAIT_CONTENT;
	case HPW_FLOCK:
	case HPW_FCNTL_LOCK:
	case HPW_LEASE:
		return HP_WAIT_LOCKS;
	case HPW_FSYNC:
	case HPW_WRITE:
		return HP_WAIT_SYNC;
	default:
		return pending->op >= HPW_MKDIR ? HP_WAIT_CHANGES : HP_WAIT_ATTRIBUTES;
	}
}

static unsigned hash(const char *path, uint32_t call)
{
	uint64_t sum = call;

	for (; *path; path++)
		sum = (sum ^ (uint8_t)*path) * 0x100000001b3u;
	return (unsigned)((sum ^ sum >> 32) % HP_COST_SETS);
}

static void add(struct hp_cost *to, const struct hp_cost *cost)
{
	to->waits += cost->waits;
	to->wait_ns += cost->wait_ns;
	to->bytes_in += cost->bytes_in;
	to->bytes_out += cost->bytes_out;
}

static bool is_less(const struct hp_cost *one, const struct hp_cost *other)
{
	if (one->wait_ns != other->wait_ns)
		return one->wait_ns < other->wait_ns;
	return one->bytes_in + one->bytes_out < other->bytes_in + other->bytes_out;
}

/* Takes `path`, which may be NULL. */
static void charge(hp_engine *engine, char *path, const struct hp_cost *cost)
{
	struct hp_cost *set, *least;

	if (!path) {
		add(&engine->costs.others, cost);
		return;
	}
	least = set = &engine->costs.table[hash(path, cost->call) * HP_COST_WAYS];
	for (unsigned way = 0; way < HP_COST_WAYS; way++) {
		if (set[way].path && set[way].call == cost->call && strcmp(set[way].path, path) == 0) {
			add(&set[way], cost);
			free(path);
			return;
		}
		if (least->path && (!set[way].path || is_less(&set[way], least)))
			least = &set[way];
	}
	if (least->path) {
		add(&engine->costs.others, least);
		free(least->path);
	}
	*least = *cost;
	least->path = path;
}

/* What the call under way names; malloc. */
static char *path_of_call(hp_engine *engine)
{
	const struct hp_object *base;

	if (!serving)
		return strdup(stage ? "/" : "");
	if (serving->len1 && serving->data[0] == '/')
		return strndup((const char *)serving->data, serving->len1);
	base = serving->base ? hp_object_by_inode(engine, serving->base) : engine->root;
	if (!base)
		return NULL;
	return serving->len1 ? hp_name_path(base, (const char *)serving->data, serving->len1) : hp_object_path(base);
}

static uint32_t call_under_way(void)
{
	if (!serving)
		return stage ? (uint32_t)stage : HP_COST_OTHER;
	return serving->op == HP_REQ_MAP ? HP_REQ_FILL : serving->op;
}

void hp_waited(hp_engine *engine, uint64_t before_ns, int kind, uint64_t bytes)
{
	uint64_t took_ns = hp_now_ns() - before_ns;

	if (stage)
		kind = stage == HP_COST_START ? HP_WAIT_START : HP_WAIT_END;
	else if (!serving)
		return; /* a thread of the engine's own: nobody waits for it */
	hp_trips++;
	engine->stats.round_trips++;
	engine->stats.wait_ns += took_ns;
	engine->stats.waits[kind]++;
	engine->stats.waited_ns[kind] += took_ns;
	charge(engine, path_of_call(engine),
	       &(struct hp_cost){ .call = call_under_way(), .waits = 1, .wait_ns = took_ns, .bytes_in = bytes });
}

/* For what was asked for before. Of one call's such waits all after the first are the same one. */
void hp_waited_more(hp_engine *engine, uint64_t before_ns)
{
	uint64_t took_ns = hp_now_ns() - before_ns;

	if (!waits_on) {
		waits_on = true;
		hp_waited(engine, before_ns, HP_WAIT_START, 0);
	} else if (stage || serving) {
		engine->stats.wait_ns += took_ns;
		engine->stats.waited_ns[HP_WAIT_START] += took_ns;
		charge(engine, path_of_call(engine), &(struct hp_cost){ .call = call_under_way(), .wait_ns = took_ns });
	}
}

void hp_carried(hp_engine *engine, const struct hp_object *object, uint64_t bytes_in, uint64_t bytes_out)
{
	charge(engine, hp_object_path(object),
	       &(struct hp_cost){
		       .call = bytes_out ? HP_COST_WRITE : HP_REQ_FILL, .bytes_in = bytes_in, .bytes_out = bytes_out });
}

static size_t put(char *buffer, size_t room, size_t at, const struct hp_cost *cost, const char *path)
{
	return at + 1 +
	       (size_t)snprintf(buffer + (at < room ? at : room), at < room ? room - at : 0,
				"%u %llu %llu %llu %llu %s", cost->call, (unsigned long long)cost->waits,
				(unsigned long long)cost->wait_ns, (unsigned long long)cost->bytes_in,
				(unsigned long long)cost->bytes_out, path);
}

/* Call, waits, ns, bytes in, bytes out, path; a NUL after each. The last has no path: all others.
 * Returns how many bytes that are, also when there is less room. */
long hp_engine_costs(hp_engine *engine, char *buffer, size_t room)
{
	struct hp_cost *table = engine->costs.table;
	size_t at = 0;

	pthread_mutex_lock(&engine->lock);
	for (unsigned i = 0; i < HP_COST_SETS * HP_COST_WAYS; i++)
		if (table[i].path)
			at = put(buffer, room, at, &table[i], table[i].path);
	at = put(buffer, room, at, &engine->costs.others, "");
	pthread_mutex_unlock(&engine->lock);
	return (long)at;
}

void hp_costs_free(hp_engine *engine)
{
	for (unsigned i = 0; i < HP_COST_SETS * HP_COST_WAYS; i++)
		free(engine->costs.table[i].path);
}
