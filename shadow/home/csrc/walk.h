/* Between the files of the walk: frames.c, look.c, walk.c. */
#ifndef HPOOL_HOME_WALK_H
#define HPOOL_HOME_WALK_H

#include "internal.h"

struct hp_step { /* one component, looked at */
	int fd; /* O_PATH or -1 */
	uint32_t share;
	struct hpw_attr attr;
};

/* frames.c */
bool hp_walk_grow(char **bytes, size_t *room, size_t want);
void hp_walk_pop(struct hp_walk *);
void hp_walk_forget(struct hp_walk *);
int hp_walk_push(struct hp_walk *, int fd, uint32_t path_len, uint32_t share, const struct hpw_attr *);
const char *hp_walk_skip_held(struct hp_walk *, const char *rest);
int hp_walk_expand(struct hp_walk *, const char *behind, bool slash, const char **rest);
int hp_walk_return(struct hp_walk *, const char *behind, const char **rest);

/* look.c: 0 or errno */
int hp_walk_may_search(const struct hp_frame *);
int hp_walk_check_veil(hp_lane *, size_t length);
int hp_walk_step(hp_lane *, const char *name, size_t length, bool want_handle, struct hp_step *);
int hp_walk_may_pass(hp_lane *, const struct hp_step *, size_t length);

static inline struct hp_frame *hp_walk_top(struct hp_walk *walk)
{
	return &walk->frames[walk->depth - 1];
}

static inline struct hp_text hp_walk_path(const struct hp_walk *walk, size_t length)
{
	return (struct hp_text){ walk->path, length };
}

#endif
