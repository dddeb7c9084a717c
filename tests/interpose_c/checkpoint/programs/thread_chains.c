/* Threads that end as fast as they begin, each made by the one before: none of them is forgotten, nor what it holds
 * of the heap. */
#include "again.h"
#include <pthread.h>
#include <stdatomic.h>

#define CHAINS 60
#define END_WITHIN_S 30

static pthread_attr_t attributes;
static atomic_int running = CHAINS, is_over;

static void *link_of_a_chain(void *before)
{
	pthread_t next, *own = malloc(sizeof *own);
	CHECK(own != NULL);
	if (before) {
		CHECK(pthread_join(*(pthread_t *)before, NULL) == 0);
		free(before);
	}
	*own = pthread_self();
	if (is_over) {
		free(own);
		running--;
		return NULL;
	}
	CHECK(pthread_create(&next, &attributes, link_of_a_chain, own) == 0);
	return NULL;
}

int main(void)
{
	const struct timespec moment = { 0, 10000000 };
	pthread_t first;
	CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 65536) == 0);
	for (int n = 0; n < CHAINS; n++)
		CHECK(pthread_create(&first, &attributes, link_of_a_chain, NULL) == 0);
	linger();
	is_over = 1;
	for (double begun_s = now_s(CLOCK_MONOTONIC); running > 0; nanosleep(&moment, NULL))
		CHECK(now_s(CLOCK_MONOTONIC) < begun_s + END_WITHIN_S);
	return done();
}
