/* How fast bytes come from home, and what that makes of waits and bytes.
 *
 * Read off answers that were long on their way: the bytes that came since the question, by the time
 * that took. Short ones show the round trip and TCP's slow beginning, not the link; a link that was not
 * filled shows less than it could: so the fastest of late is believed, and a slower reading halves it at most.
 */
#define _GNU_SOURCE
#include "internal.h"

#define GUESS_NS_PER_KIB 4096u /* 250 MB/s */
#define BYTES_ENOUGH (256u << 10)
#define TRIPS_ENOUGH 6u
#define NS_ENOUGH 10000000u
#define QUEUED_NS 100000000u /* what the job waits for stands behind that much at most */
#define LEAST (256u << 10)
#define MOST (16u << 20)

static uint64_t ns_per_kib(const hp_engine *engine)
{
	return engine->speed.ns_per_kib ? engine->speed.ns_per_kib : GUESS_NS_PER_KIB;
}

void hp_speed_note(hp_engine *engine, const struct hp_pending *pending)
{
	uint64_t bytes = engine->stats.bytes_in - pending->in_before, took_ns = hp_now_ns() - pending->sent_ns;
	uint64_t known = engine->speed.ns_per_kib, seen;

	if (bytes < BYTES_ENOUGH || took_ns < TRIPS_ENOUGH * engine->trip_ns + NS_ENOUGH)
		return;
	seen = (took_ns - engine->trip_ns) / (bytes >> 10) + 1;
	engine->speed.ns_per_kib = known && seen > known * 2 ? known * 2 : seen;
}

uint64_t hp_transfer_ns(const hp_engine *engine, uint64_t bytes)
{
	return (bytes >> 10) * ns_per_kib(engine);
}

uint64_t hp_bytes_in(const hp_engine *engine, uint64_t ns)
{
	return ns * 1024 / ns_per_kib(engine);
}

uint64_t hp_unasked_most(const hp_engine *engine)
{
	uint64_t bytes = hp_bytes_in(engine, 2 * engine->trip_ns + QUEUED_NS);

	return !engine->speed.ns_per_kib || bytes > MOST ? MOST : bytes < LEAST ? LEAST : bytes;
}
