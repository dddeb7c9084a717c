/* What former runs of a program asked home for, and what this one does. */
#ifndef HPOOL_ENGINE_MEMORY_H
#define HPOOL_ENGINE_MEMORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct hp_memory {
	char *text; /* what this run asked for, as lines */
	size_t length, room;
	pthread_t recaller;
	bool recaller_runs; /* and is to be joined */
	bool is_recalling; /* what former runs asked for is on its way */
};

#endif
