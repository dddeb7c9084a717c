/* Which bytes of a range that the job wrote in travel home. */
#ifndef HPOOL_ENGINE_RUNS_H
#define HPOOL_ENGINE_RUNS_H

#include "internal.h"

enum hp_holes { HP_HOLES_STAY, HP_HOLES_TRAVEL }; /* as zeros, where home may have something else */

/* What of a range travels next: 0, or how many bytes from range->low on. */
uint64_t hp_run_next(const struct hp_object *, struct hp_range *, enum hp_holes);
/* How many of these bytes, which begin at `low`, lie before the next hole. */
size_t hp_run_until_hole(const struct hp_object *, const uint8_t *bytes, size_t count, uint64_t low);

#endif
