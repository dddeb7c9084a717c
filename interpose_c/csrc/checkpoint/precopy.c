/* Copies a job's memory while the job runs, so that little is left to copy when it stands still.
 *
 * In passes: all stop for a moment, what was written to since the pass before is armed again
 * (track.c), all go on, and it is copied. The last pass is the dump itself. Nothing here can make a dump fail: what
 * is not tracked, or cannot be, is copied then.
 *
 * Owns: whether it is worth it, how many passes. Leaves to others: which pages those are.
 */
#include "dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORTH_BYTES (32ull << 20) /* less is copied in some 10 ms */
#define OF_A_PROCESS (1ull << 20)
#define ENOUGH (2ull << 20) /* a stop takes as long as copying this */
#define PASSES 5
#define ATTEMPTS 3
#define BETWEEN_NS 2000000

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static uint64_t private_bytes(pid_t pid)
{
	unsigned long resident = 0, shared = 0;
	char *text = hp_proc_text(pid, "statm", NULL);
	bool told = text && sscanf(text, "%*s %lu %lu", &resident, &shared) == 2 && resident > shared;
	free(text);
	return told ? (uint64_t)(resident - shared) * HP_IMAGE_PAGE : 0;
}

static bool is_worth_it(void)
{
	pid_t *pids;
	uint64_t bytes = 0;
	int count = hp_proc_list(".", &pids);
	for (int n = 0; n < count; n++)
		bytes += private_bytes(pids[n]);
	if (count >= 0)
		free(pids);
	return bytes >= WORTH_BYTES;
}

/* Who does not stop may be in the middle of a direct transfer, or waits for a vfork child. */
static bool stop(struct hp_frozen *frozen)
{
	const struct timespec between = { 0, BETWEEN_NS };
	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (!hp_stop(frozen))
			return false;
		if (frozen->moving == 0)
			return true;
		hp_go_on(frozen);
		free(frozen->tasks);
		frozen->tasks = NULL;
		nanosleep(&between, NULL);
	}
	return false;
}

static struct hp_track *track_of(struct hp_dump *dump, struct hp_process *process)
{
	struct hp_track *known = hp_track_of(dump, process);
	if (known || private_bytes(process->pid) < OF_A_PROCESS)
		return known;
	struct hp_track *larger = realloc(dump->tracks, (dump->track_count + 1) * sizeof *larger);
	if (larger == NULL)
		return NULL;
	dump->tracks = larger;
	if (!hp_track_begin(dump, &dump->tracks[dump->track_count], process))
		return NULL;
	return &dump->tracks[dump->track_count++];
}

/* Microseconds are dear here: everybody waits. */
static bool arm(struct hp_dump *dump)
{
	if (!hp_dump_list(dump))
		return false;
	for (unsigned n = 0; n < dump->count; n++) {
		struct hp_process *process = &dump->processes[n];
		if (process->count == 0 || !hp_dump_read_maps(process, false))
			continue;
		struct hp_track *track = track_of(dump, process);
		/* With another's memory it could be another's arming that is seen. */
		if (track && (hp_dump_shares_memory(dump, process) || !hp_track_arm(dump, track, process)))
			hp_track_end(track);
	}
	return true;
}

static uint64_t copy_due(struct hp_dump *dump, struct hp_track *track)
{
	struct hp_copy copy = { .dump = dump, .track = track, .pid = track->pid, .memory = track->memory };
	uint64_t bytes = 0, until;
	for (size_t n = 0; n < track->due_count; n++) {
		const struct hp_range *due = &track->due[n];
		const struct hp_region *region = hp_track_region(track, due->start, &until);
		bytes += due->end - due->start;
		(void)hp_copy_add(&copy, due->start, due->end - due->start,
				  region->pages + (due->start - region->start));
	}
	(void)hp_copy_end(&copy);
	track->due_count = 0;
	return bytes;
}

struct hp_precopied hp_precopy(struct hp_dump *dump, void (*soon)(void *), void *with)
{
	struct hp_precopied done = { 0 };
	uint64_t before = 0;
	while (done.passes < PASSES && (done.passes || is_worth_it())) {
		int64_t start_ns = now_ns();
		uint64_t bytes = 0;
		bool fine = stop(&dump->frozen) && arm(dump);
		hp_go_on(&dump->frozen);
		free(dump->frozen.tasks);
		hp_dump_forget(dump);
		done.stopped_ns += now_ns() - start_ns;
		if (!fine || dump->track_count == 0)
			break;
		for (unsigned n = 0; n < dump->track_count; n++)
			bytes += copy_due(dump, &dump->tracks[n]);
		if (done.passes++ == 0)
			soon(with);
		else if (bytes <= ENOUGH || bytes > before / 2)
			break; /* as little as it gets: the next stop is the last */
		before = bytes;
	}
	hp_refusal_forget();
	return done;
}
