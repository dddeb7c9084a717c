/* Memory of restored processes that comes while they run already (IMAGE.md, "Lazily"). */
#ifndef HPOOL_LAZY_H
#define HPOOL_LAZY_H

#include "missing.h"
#include "restore.h"

/* ---- lazy.c -------------------------------------------------------------------------------- */
struct hp_lazy {
	struct hp_lazy *next;
	const uint8_t *content; /* of the image */
	int uffd;
	uint64_t gate; /* a page that is there when everything is */
	struct hp_missing missing;
	bool gone; /* the process has ended, or executes another program */
};

/* ---- fill.c: a thread of the restorer's that gives processes their memory -------------------------- */
/* Takes a number of the job's namespace. */
void hp_fill_begin(void);
/* One page, before hp_fill_add. */
bool hp_fill_page(struct hp_lazy *, uint64_t address);
/* Its memory comes from now on. False: there is no such thread. */
bool hp_fill_add(struct hp_lazy *);
/* No more of them come. Returns when all memory is there; `hold` keeps descriptors from being the last. */
void hp_fill_end(int hold);

#endif
