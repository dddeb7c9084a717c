/* Ranges that only shrink. Owns the list; asks nobody. */
#include "missing.h"

#include <stdlib.h>
#include <string.h>

static bool make_room(struct hp_missing *missing)
{
	if (missing->count < missing->room)
		return true;
	size_t room = missing->room ? missing->room * 2 : 64;
	struct hp_missing_range *larger = realloc(missing->of, room * sizeof *larger);
	if (larger == NULL)
		return false;
	missing->of = larger;
	missing->room = room;
	return true;
}

bool hp_missing_add(struct hp_missing *missing, uint64_t start, uint64_t end, uint64_t pages)
{
	if (!make_room(missing))
		return false;
	missing->of[missing->count++] = (struct hp_missing_range){ start, end, pages };
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct hp_missing_range *first = a, *second = b;
	return (first->start > second->start) - (first->start < second->start);
}

bool hp_missing_sort(struct hp_missing *missing)
{
	if (missing->count)
		qsort(missing->of, missing->count, sizeof *missing->of, by_start);
	for (size_t n = 1; n < missing->count; n++)
		if (missing->of[n].start < missing->of[n - 1].end)
			return false;
	return true;
}

/* The first that ends behind `at`. Empty ones end where they begin, so they are in order too. */
static size_t behind(const struct hp_missing *missing, uint64_t at)
{
	size_t low = missing->first, high = missing->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (missing->of[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct hp_missing_range *hp_missing_find(const struct hp_missing *missing, uint64_t at)
{
	for (size_t n = behind(missing, at); n < missing->count && missing->of[n].start <= at; n++)
		if (at < missing->of[n].end)
			return &missing->of[n];
	return NULL;
}

const struct hp_missing_range *hp_missing_next(struct hp_missing *missing)
{
	while (missing->first < missing->count && missing->of[missing->first].start == missing->of[missing->first].end)
		missing->first++;
	return missing->first < missing->count ? &missing->of[missing->first] : NULL;
}

bool hp_missing_take(struct hp_missing *missing, uint64_t start, uint64_t end)
{
	size_t n = behind(missing, start);
	if (start >= end)
		return true;
	if (n < missing->count && missing->of[n].start < start && missing->of[n].end > end) {
		if (!make_room(missing))
			return false;
		struct hp_missing_range *range = &missing->of[n];
		memmove(range + 1, range, (missing->count++ - n) * sizeof *range);
		range[0].end = start;
		range[1].pages += end - range[1].start;
		range[1].start = end;
		return true;
	}
	for (; n < missing->count && missing->of[n].start < end; n++) {
		struct hp_missing_range *range = &missing->of[n];
		if (range->start < start) {
			range->end = start;
		} else {
			uint64_t until = range->end < end ? range->end : end;
			range->pages += until - range->start;
			range->start = until;
		}
	}
	return true;
}

void hp_missing_free(struct hp_missing *missing)
{
	free(missing->of);
	*missing = (struct hp_missing){ 0 };
}
