/* What is asked for before the job does. */
#ifndef HPOOL_ENGINE_AHEAD_H
#define HPOOL_ENGINE_AHEAD_H

#include <stdbool.h>

#include "engine.h"

#define HP_NS_PER_BYTE 4 /* 250 MB/s: a guess is enough to compare transfers with waits */

struct hp_object;

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
uint32_t hp_worth_a_trip(const hp_engine *);
void hp_ahead_small(hp_engine *, struct hp_object *directory, uint32_t budget);

#endif
