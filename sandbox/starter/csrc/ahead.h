/* What is asked for before the job does. */
#ifndef HPOOL_ENGINE_AHEAD_H
#define HPOOL_ENGINE_AHEAD_H

#include <stdbool.h>

#include "engine.h"

struct hp_object;
struct hp_pending;

/* speed.c: of what comes from home. */
struct hp_speed {
	uint64_t ns_per_kib; /* 0: not known yet, and guessed */
};

void hp_speed_note(hp_engine *, const struct hp_pending *); /* its last answer has come */
uint64_t hp_transfer_ns(const hp_engine *, uint64_t bytes);
uint64_t hp_bytes_in(const hp_engine *, uint64_t ns); /* that travel meanwhile */
uint64_t hp_unasked_most(const hp_engine *); /* bytes on their way that nobody waits for */

/* Who goes through directories. */
struct hp_walker {
	unsigned width; /* directories that may be asked for before he comes */
	unsigned ahead; /* that were, and he has not come yet */
	unsigned contents; /* of these, with their small files */
	unsigned directories_read;
	bool content;
};

void hp_ahead_of(hp_engine *, struct hp_object *directory);
bool hp_ahead_reads(hp_engine *, struct hp_object *directory);
#define HP_LITTLE_BUDGET (64u << 10)
#define HP_SMALL_DIRECTORY (16u << 10) /* as home counts its own bytes: two hundred names or so */
uint32_t hp_worth_a_trip(const hp_engine *);
void hp_ahead_small(hp_engine *, struct hp_object *directory, uint32_t budget);

#endif
