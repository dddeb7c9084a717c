/* A name change on its way: home first, then the mirror, in the order of home's replies. */
#ifndef HPOOL_CHANGES_H
#define HPOOL_CHANGES_H

#include "internal.h"

/* By path, as home went: directories may have moved since it was asked. */
struct change {
	const char *path, *path2;
	unsigned flags;
	struct hp_object *object; /* what was changed */
};

void hp_apply_removed(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *body, size_t length);
void hp_apply_renamed(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *body, size_t length);
void hp_apply_made(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *body, size_t length);
void hp_apply_named(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *body, size_t length);

#endif
