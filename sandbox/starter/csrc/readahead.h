/* Between blocks.c, which fetches, and readahead.c, which guesses. */
#ifndef HPOOL_ENGINE_READAHEAD_H
#define HPOOL_ENGINE_READAHEAD_H

#include "internal.h"

void hp_file_request(hp_engine *, struct hp_object *, uint64_t first, uint64_t end, int lane); /* what is not there */
void hp_stream_on(hp_engine *, struct hp_object *);
void hp_read_seen(hp_engine *, struct hp_object *, uint64_t offset, uint64_t length);
void hp_read_ahead(hp_engine *, struct hp_object *, uint64_t end, uint64_t length);

#endif
