/* What the job has mapped, and may have written without a call. */
#ifndef HPOOL_ENGINE_MAPPED_H
#define HPOOL_ENGINE_MAPPED_H

#include "internal.h"

/* [low, high) is to be mapped; all of it is here then. 0 or -errno. */
int hp_mapped_add(hp_engine *, struct hp_object *, uint64_t low, uint64_t high, bool shared);
/* Home's bytes from the beginning of a block on, which were written over the mirror's. */
void hp_mapped_fetched(struct hp_object *, uint64_t offset, const uint8_t *bytes, uint64_t length);
/* The next run of changed bytes in the range, which shrinks: false when there is none. */
bool hp_mapped_changed(struct hp_object *, struct hp_range *, struct hp_range *changed, uint8_t *buffer);
/* Nobody has it mapped any more, and home has, or is sent, all that was written there. */
bool hp_mapped_over(struct hp_object *);
/* Written just now: the mirror's file system does not follow mappings. */
bool hp_mirror_touch(int fd, struct stat *);

#endif
