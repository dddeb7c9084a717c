/* Birth, death and outside of the engine. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"

#define CLOCK_NOISE_NS 5000000

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

hp_engine *hp_engine_create(const struct hp_engine_config *config, char *error, size_t room)
{
	hp_engine *engine = calloc(1, sizeof *engine);
	struct stat status;
	int result;

	raise_descriptor_limit();
	signal(SIGIO, SIG_IGN); /* a lease that is broken while we hold it: evict.c */
	engine->config = *config;
	engine->root_fd = config->root_fd;
	if (config->clock_offset_ns > -CLOCK_NOISE_NS && config->clock_offset_ns < CLOCK_NOISE_NS)
		engine->config.clock_offset_ns = 0; /* a difference that small is the measurement's */
	engine->next_file = 1;
	engine->clock_fd = memfd_create("clock", MFD_CLOEXEC);
	pthread_mutex_init(&engine->lock, NULL);
	pthread_cond_init(&engine->changed, NULL);
	pthread_cond_init(&engine->kept.asked, NULL);
	pthread_cond_init(&engine->worker_left, NULL);
	pthread_cond_init(&engine->lock_taken, NULL);
	for (int lane = 0; lane < HP_LANES; lane++)
		pthread_cond_init(&engine->out[lane].filled, NULL);
	if (fstat(config->root_fd, &status)) {
		snprintf(error, room, "the mirror's root cannot be examined: %s", strerror(errno));
		free(engine);
		return NULL;
	}
	engine->root = hp_object_new(engine, HP_DIR);
	engine->root->is_root = true;
	engine->root->inode = status.st_ino;
	engine->root->attr = (struct hpw_attr){ .mode = S_IFDIR | 0755, .nlink = 2, .access = 5, .blksize = 4096 };
	hp_object_index(engine, engine->root);
	result = hp_mirror_prepare(engine);
	if (result) {
		snprintf(error, room, "the mirror cannot be prepared: %s", strerror(-result));
		free(engine);
		return NULL;
	}
	engine->channel->magic = HP_SHM_MAGIC;
	engine->channel->version = HP_SHM_VERSION;
	engine->channel->size = sizeof *engine->channel;
	engine->channel->mirror_dev = status.st_dev;
	engine->channel->clock_offset_ns = engine->config.clock_offset_ns;
	engine->channel->ngroups = config->ngroups < 63 ? config->ngroups : 63;
	if (engine->channel->ngroups)
		memcpy(engine->channel->groups, config->groups, engine->channel->ngroups * sizeof(uint32_t));
	engine->channel->no_network = !config->network;
	hp_notes_start(engine);
	hp_mirror_permit(engine, engine->root);
	hp_mirror_publish(engine, engine->root);
	result = hp_workers_start(engine);
	if (result) {
		snprintf(error, room, "no thread could be started: %s", strerror(-result));
		hp_engine_stop(engine);
		return NULL;
	}
	return engine;
}

/* want 0: a directory the job starts in or shares, also below a local place;
 * 1: a program to be executed. Returns 0 or an errno. */
int hp_engine_prepare(hp_engine *engine, const char *path, int want)
{
	struct hp_pending pending = { .apply = hp_apply_entries };
	struct hp_slot *slot = calloc(1, sizeof *slot);
	struct hp_where where;
	int64_t result = 0;
	bool known;

	pthread_mutex_lock(&engine->lock);
	hp_costs_stage(HP_COST_START);
	do
		known = hp_resolve_known(engine, path, &where) && where.object->attr.ino;
	while (!known && hp_await_recall(engine));
	if (!known)
		result = -hp_wire_call(
			engine, HP_LANE_WAIT, &pending,
			&(struct hp_request){ .head = { .op = HPW_RESOLVE, .len1 = (uint32_t)strlen(path) },
					      .string1 = path });
	pthread_mutex_unlock(&engine->lock);
	if (result == 0 && strlen(path) < HP_SLOT_DATA) {
		slot->op = want ? HP_REQ_EXEC : HP_REQ_NAME;
		slot->arg[0] = HP_WANT_DIR;
		slot->len1 = (uint32_t)strlen(path);
		memcpy(slot->data, path, slot->len1);
		pthread_mutex_lock(&engine->lock);
		result = hp_engine_answer(engine, slot);
		pthread_mutex_unlock(&engine->lock);
	}
	hp_costs_stage(0);
	free(slot);
	return result < 0 ? (int)-result : 0;
}

void hp_engine_stats(hp_engine *engine, struct hp_engine_stats *stats)
{
	pthread_mutex_lock(&engine->lock);
	*stats = engine->stats;
	stats->calls = __atomic_load_n(&engine->channel->calls, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&engine->lock);
}

void hp_engine_fail(hp_engine *engine, int error)
{
	pthread_mutex_lock(&engine->lock);
	if (!engine->failed)
		engine->failed = error ? error : EIO;
	hp_wire_fail_all(engine);
	hp_locks_fail(engine);
	pthread_cond_broadcast(&engine->changed);
	pthread_mutex_unlock(&engine->lock);
}

static void free_names(struct hp_object *directory)
{
	struct hp_name *next;

	for (struct hp_name *name = directory->children; name; name = next) {
		next = name->next_in_parent;
		free(name->offer);
		free(name);
	}
}

void hp_engine_stop(hp_engine *engine)
{
	struct hp_object *next;

	hp_workers_stop(engine);
	hp_engine_await_recalled(engine);
	for (unsigned bucket = 0; bucket < HP_BUCKETS; bucket++)
		for (struct hp_object *object = engine->by_inode[bucket]; object; object = next) {
			next = object->next_by_inode;
			free_names(object);
			if (object->fd >= 0)
				close(object->fd);
			free(object->target);
			free(object->present);
			free(object->kept);
			free(object->asked);
			free(object->shared);
			free(object->sums);
			free(object->digest);
			free(object);
		}
	close(engine->nameless_fd);
	close(engine->clock_fd);
	for (unsigned i = 0; i < HP_DIRFDS; i++)
		if (engine->dirfds[i].object)
			close(engine->dirfds[i].fd);
	for (int lane = 0; lane < HP_LANES; lane++)
		free(engine->out[lane].bytes);
	free(engine->reads.bytes);
	munmap(engine->channel, sizeof *engine->channel);
	munmap(engine->attrs, sizeof *engine->attrs * HP_ATTR_COUNT);
	hp_bound_free(engine);
	free(engine->memory.text);
	hp_notes_stop(engine);
	hp_costs_free(engine);
	free(engine);
}
