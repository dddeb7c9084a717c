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

/* behind.c: false: this one has to be waited for */
bool hp_unlink_behind(hp_engine *, const struct hp_where *);
bool hp_rename_behind(hp_engine *, const struct hp_where *from, const struct hp_where *to);

/* `from`, which is there, takes the place of `to`'s file, if any. False: the mirror could not. */
bool hp_rename_here(hp_engine *, struct hp_name *from, struct hp_name *to, unsigned exchanged);
void hp_apply_removed(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *body, size_t length);
void hp_apply_renamed(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *body, size_t length);
void hp_apply_made(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *body, size_t length);
void hp_apply_named(hp_engine *, struct hp_pending *, const struct hpw_reply *, const uint8_t *body, size_t length);

#endif
