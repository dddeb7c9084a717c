/* What of a process's memory is still in the image alone. */
#ifndef HPOOL_MISSING_H
#define HPOOL_MISSING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hp_missing_range {
	uint64_t start, end, pages; /* `pages`: where its content is */
};

/* Disjoint, by rising address. What has become empty stays in the list, `first` is behind such at its beginning. */
struct hp_missing {
	struct hp_missing_range *of;
	size_t first, count, room;
};

/* At the end, in any order, before hp_missing_sort. False: no memory. */
bool hp_missing_add(struct hp_missing *, uint64_t start, uint64_t end, uint64_t pages);
/* False: two of them overlap. */
bool hp_missing_sort(struct hp_missing *);
/* The one that `at` is in, or NULL. */
const struct hp_missing_range *hp_missing_find(const struct hp_missing *, uint64_t at);
/* The first that is not empty, or NULL. */
const struct hp_missing_range *hp_missing_next(struct hp_missing *);
/* Nothing of [start, end) is missing any more. False: no memory, and nothing has changed. */
bool hp_missing_take(struct hp_missing *, uint64_t start, uint64_t end);
void hp_missing_free(struct hp_missing *);

#endif
