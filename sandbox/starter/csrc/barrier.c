/* Waiting until home has what the job did: of one file, of all, at the job's end. */
#define _GNU_SOURCE
#include <stdio.h>

#include "internal.h"

int hp_flush_object(hp_engine *engine, struct hp_object *object)
{
	do {
		uint64_t before_ns = hp_now_ns();
		bool waits;

		hp_flush_collect(engine, object);
		hp_wire_kick(engine);
		waits = object->in_flight > 0;
		while (object->in_flight > 0)
			pthread_cond_wait(&engine->changed, &engine->lock);
		if (waits)
			hp_waited(engine, before_ns, HP_WAIT_SYNC, 0);
	} while (hp_flush_deferred(object) && !engine->failed);
	return object->orphan ? 0 : -object->error;
}

int hp_flush_everything(hp_engine *engine)
{
	bool again, waits;

	do {
		uint64_t before_ns = hp_now_ns();

		again = waits = false;
		for (uint32_t n = 1; n < engine->files_end; n++)
			if (engine->files[n] && engine->files[n]->handle_writable)
				hp_flush_last(engine, engine->files[n]);
		hp_wire_kick(engine);
		for (uint32_t n = 1; n < engine->files_end; n++) {
			while (engine->files[n] && engine->files[n]->in_flight > 0) {
				waits = true;
				pthread_cond_wait(&engine->changed, &engine->lock);
			}
			again |= engine->files[n] && hp_flush_deferred(engine->files[n]);
		}
		if (waits)
			hp_waited(engine, before_ns, HP_WAIT_SYNC, 0);
		hp_ordered_wait(engine);
	} while (again && !engine->failed);
	return engine->failed ? -engine->failed : -engine->first_error;
}

int hp_engine_barrier(hp_engine *engine)
{
	int error;

	pthread_mutex_lock(&engine->lock);
	hp_costs_stage(HP_COST_END);
	error = -hp_flush_everything(engine);
	hp_locks_settle(engine);
	hp_leases_end(engine);
	hp_ordered_wait(engine);
	hp_costs_stage(0);
	pthread_mutex_unlock(&engine->lock);
	return error;
}

/* The job stands still, or this is only to leave less for when it does (number 0: no mark). All that it did is
 * at home, in front of the mark that begins the epoch. An errno: what was lost, or that home takes no mark. */
int hp_engine_epoch(hp_engine *engine, uint64_t number)
{
	struct hp_pending pending = { 0 };
	int error;

	pthread_mutex_lock(&engine->lock);
	error = -hp_flush_everything(engine);
	if (number && !error) {
		hp_locks_settle(engine);
		hp_ordered_wait(engine);
		error = hp_wire_call(engine, HP_LANE_WAIT, &pending,
				     &(struct hp_request){ .head = { .op = HPW_EPOCH, .offset = number } });
	}
	pthread_mutex_unlock(&engine->lock);
	return error;
}

long hp_engine_lost(hp_engine *engine, char *buffer, size_t room)
{
	int length;

	pthread_mutex_lock(&engine->lock);
	length = snprintf(buffer, room, "%s", engine->lost);
	pthread_mutex_unlock(&engine->lock);
	return length < (int)room ? length : (long)room - 1;
}
