/* Which blocks of a file are present: the engine's bitmaps, and their copies for the shim. */
#ifndef HPOOL_ENGINE_MAPS_H
#define HPOOL_ENGINE_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "hpool/shm.h"

struct hp_object;

/* Where a file's copy is, in bytes of the channel's `maps`. */
struct hp_map_place {
	uint64_t offset, bytes;
};

static inline bool hp_bit(const uint8_t *map, uint64_t n)
{
	return map[n / 8] >> (n % 8) & 1;
}

static inline uint64_t hp_blocks_of(uint64_t size)
{
	return (size + HP_BLOCK - 1) >> HP_BLOCK_SHIFT;
}

void hp_set_present(hp_engine *, struct hp_object *, uint64_t block, bool present);
/* After `blocks` or the whole bitmap changed. */
void hp_file_publish_map(hp_engine *, struct hp_object *);
/* False: there was no room for it, and every reader asks. */
bool hp_file_has_map(const hp_engine *, const struct hp_object *);

#endif
