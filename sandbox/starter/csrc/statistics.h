/* What statfs(2) says of home's file systems. */
#ifndef HPOOL_ENGINE_STATISTICS_H
#define HPOOL_ENGINE_STATISTICS_H

#include <stdbool.h>

#include "engine.h"

#define HP_STATFS_BYTES 120

struct hp_object;
struct hp_slot;

/* Of one file system, asked for before the job did. */
struct hp_statistics {
	uint64_t dev, came_ns;
	bool asked, used;
	uint8_t bytes[HP_STATFS_BYTES];
};

void hp_statistics_ahead(hp_engine *, struct hp_object *directory);
int64_t hp_do_statistics(hp_engine *, struct hp_object *, struct hp_slot *);

#endif
