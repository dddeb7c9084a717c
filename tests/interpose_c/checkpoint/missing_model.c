/* Ranges that shrink, beside a table of single pages: SEED on the command line. */
#include "checkpoint/missing.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGES 512u
#define PAGE 4096ull
#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			printf("%d: %s\n", __LINE__, #condition); \
			exit(1); \
		} \
	} while (0)

static uint64_t content[PAGES]; /* where each page's is; 0: it is not missing */

static void compare(struct hp_missing *missing)
{
	uint64_t first = PAGES;
	for (uint64_t page = 0; page < PAGES; page++) {
		const struct hp_missing_range *range = hp_missing_find(missing, page * PAGE + 8);
		CHECK((range != NULL) == (content[page] != 0));
		if (range)
			CHECK(range->pages + page * PAGE - range->start == content[page]);
		if (content[page] && first == PAGES)
			first = page;
	}
	const struct hp_missing_range *next = hp_missing_next(missing);
	CHECK(next ? next->start == first * PAGE : first == PAGES);
}

int main(int argc, char **argv)
{
	struct hp_missing missing = { 0 };
	srand(argc > 1 ? (unsigned)atoi(argv[1]) : 0);
	for (uint64_t page = 0; page < PAGES;) {
		uint64_t count = 1 + (uint64_t)rand() % 9;
		if (page + count > PAGES)
			break;
		CHECK(hp_missing_add(&missing, page * PAGE, (page + count) * PAGE, (page * 3 + 1) * PAGE));
		for (uint64_t n = 0; n < count; n++)
			content[page + n] = (page * 3 + 1 + n) * PAGE;
		page += count + (uint64_t)rand() % 3;
	}
	CHECK(hp_missing_sort(&missing));
	for (unsigned round = 0; round < 200; round++) {
		compare(&missing);
		uint64_t start = (uint64_t)rand() % PAGES, end = start + (uint64_t)rand() % (round % 10 ? 12 : 90);
		if (end > PAGES)
			end = PAGES;
		CHECK(hp_missing_take(&missing, start * PAGE, end * PAGE));
		for (uint64_t page = start; page < end; page++)
			content[page] = 0;
	}
	CHECK(hp_missing_take(&missing, 0, PAGES * PAGE) && hp_missing_next(&missing) == NULL);
	hp_missing_free(&missing);
	CHECK(hp_missing_add(&missing, 0, 2 * PAGE, 0) && hp_missing_add(&missing, PAGE, 3 * PAGE, 0));
	CHECK(!hp_missing_sort(&missing));
	hp_missing_free(&missing);
	return 0;
}
