/* Inside of the engine: what notes.c keeps. */
#ifndef HP_NOTES_H
#define HP_NOTES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* What the job's processes told, until the starter takes it. Its own lock: notes.c. */
struct hp_note {
	struct hp_note *next;
	char kind;
	size_t length;
	char content[];
};

#define HP_DYING 8u
struct hp_dying { /* a crash of which not all pieces have come */
	int32_t tid;
	uint64_t number;
	uint8_t *bytes;
	size_t length;
	uint32_t count[4];
};

struct hp_notes {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct hp_note *first, **tail;
	unsigned count;
	size_t bytes;
	char **told; /* refusals: "call program" */
	unsigned told_count;
	struct hp_dying dying[HP_DYING];
	uint64_t crashes;
};

#endif
