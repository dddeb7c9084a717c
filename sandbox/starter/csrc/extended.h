/* Extended attributes that files do not have. */
#ifndef HPOOL_ENGINE_EXTENDED_H
#define HPOOL_ENGINE_EXTENDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"

struct hp_object;
struct hp_slot;

/* A bit for each of the names that programs ask every file for; while its ctime is this one. */
struct hp_extended {
	int64_t ctime_s;
	uint32_t ctime_ns;
	uint8_t none, refused; /* there is none, its file system has none */
	uint16_t ahead;        /* directories: so many files were asked for beside the last one */
};

/* Whether that is what a GETXATTR or LISTXATTR will find; if not, those beside it are asked for. */
bool hp_extended_known(hp_engine *, const struct hp_object *, const struct hp_slot *, int64_t *answer);
/* A SETXATTR whose outcome is known: home hears of it behind the job's back. */
bool hp_extended_behind(hp_engine *, struct hp_object *, const struct hp_slot *);
/* What home said to the job's question or change. */
void hp_extended_heard(struct hp_object *, const struct hp_slot *, int error, size_t length);
/* Home has news of it. */
void hp_extended_forget(struct hp_object *);

#endif
