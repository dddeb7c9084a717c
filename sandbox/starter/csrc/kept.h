/* What is kept of former runs: small files in packs, large ones by blocks. */
#ifndef HPOOL_KEPT_H
#define HPOOL_KEPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "engine.h"
#include "objects.h"

struct hp_kept_ask;

struct hp_kept {
	struct hp_kept_ask *asks; /* nobody has them in hand yet */
	pthread_cond_t asked;
	bool serves; /* somebody answers */
};

/* kept.c */
void hp_kept_look(hp_engine *, struct hp_object *); /* which blocks are there; may wait, not for home */
bool hp_kept_has(const hp_engine *, const struct hp_object *, uint64_t block);
void hp_kept_read(hp_engine *, struct hp_object *, uint64_t first, uint64_t count, bool now);

/* pack.c */
/* An order of strings that need not be one for people: the shorter first. */
static inline int hp_order(const char *one, size_t length, const char *other, size_t other_length)
{
	return length != other_length ? (length < other_length ? -1 : 1) : memcmp(one, other, length);
}

struct hp_pack *hp_pack_read(const uint8_t *bytes, size_t length);
void hp_pack_free(struct hp_pack *);
bool hp_pack_fill(hp_engine *, const struct hp_pack *, struct hp_object *);

#endif
