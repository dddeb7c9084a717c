/* What the job's processes tell about themselves: refused calls, crashes, and,
 * while somebody watches, every call.
 *
 * Owns: keeping it, bounded, until the starter takes it. Leaves to others: words
 * for people. Nothing of it is believed: the job wrote it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "internal.h"

#define KEPT_NOTES 256u
#define KEPT_BYTES (4u << 20)
#define TOLD_MOST 1024u /* pairs of program and call */
#define CRASH_MOST (320u << 10)
#define CRASHES 16u

static void add_note(struct hp_notes *notes, char kind, const void *bytes, size_t length)
{
	struct hp_note *note;

	if (kind != 'w' && (notes->count >= KEPT_NOTES || notes->bytes + length > KEPT_BYTES))
		return;
	note = malloc(sizeof *note + length);
	if (!note)
		return;
	*note = (struct hp_note){ .kind = kind, .length = length };
	memcpy(note->content, bytes, length);
	*notes->tail = note;
	notes->tail = &note->next;
	notes->count++;
	notes->bytes += length;
	pthread_cond_broadcast(&notes->filled);
}

void hp_notes_start(hp_engine *engine)
{
	struct hp_notes *notes = &engine->notes;
	pthread_condattr_t clock;

	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&notes->filled, &clock);
	pthread_condattr_destroy(&clock);
	pthread_mutex_init(&notes->lock, NULL);
	notes->tail = &notes->first;
	engine->channel->crashes_left = CRASHES;
}

/* ---- refused calls: once per program and call ------------------------------------ */

static bool told_before(struct hp_notes *notes, const char *line)
{
	for (unsigned i = 0; i < notes->told_count; i++)
		if (!strcmp(notes->told[i], line))
			return true;
	if (notes->told_count == TOLD_MOST)
		return true;
	notes->told[notes->told_count] = strdup(line);
	notes->told_count += notes->told[notes->told_count] != NULL;
	return false;
}

int64_t hp_note_refusal(hp_engine *engine, const struct hp_slot *slot)
{
	struct hp_notes *notes = &engine->notes;
	char key[PATH_MAX + 64], line[PATH_MAX + 128];
	int room = slot->len1 < PATH_MAX ? (int)slot->len1 : PATH_MAX - 1;

	snprintf(key, sizeof key, "%ld %.*s", (long)slot->arg[0], room, (const char *)slot->data);
	snprintf(line, sizeof line, "%ld %ld %lld %lld %.*s", (long)slot->arg[0], (long)slot->arg[1],
		 (long long)slot->arg[2], (long long)slot->arg[3], room, (const char *)slot->data);
	pthread_mutex_lock(&notes->lock);
	if (!notes->told)
		notes->told = calloc(TOLD_MOST, sizeof *notes->told);
	if (notes->told && !told_before(notes, key))
		add_note(notes, 'r', line, strlen(line));
	pthread_mutex_unlock(&notes->lock);
	return 0;
}

/* ---- crashes ------------------------------------------------------------------------- */

/* The pieces of one thread's crash follow each other; several threads may crash at once.
 * What a killed process left half told is given up for the next. */
static struct hp_dying *dying(struct hp_notes *notes, int32_t tid, bool begins)
{
	struct hp_dying *oldest = &notes->dying[0];

	for (unsigned i = 0; i < HP_DYING; i++) {
		struct hp_dying *each = &notes->dying[i];

		if (each->bytes && each->tid == tid)
			return each;
		if (each->number < oldest->number)
			oldest = each;
	}
	if (!begins)
		return NULL;
	free(oldest->bytes);
	*oldest = (struct hp_dying){ .tid = tid, .number = ++notes->crashes, .bytes = malloc(CRASH_MOST) };
	return oldest->bytes ? oldest : NULL;
}

static void append(struct hp_dying *crash, const void *bytes, uint32_t length, uint32_t *count)
{
	if (crash->length + length > CRASH_MOST)
		return;
	memcpy(crash->bytes + crash->length, bytes, length);
	crash->length += length;
	*count += length;
}

/* A crash as it is handed on: these four lengths, then head, program, mappings, stack. */
struct told_crash {
	uint32_t head, program, maps, stack;
};

int64_t hp_note_crash(hp_engine *engine, const struct hp_slot *slot)
{
	struct hp_notes *notes = &engine->notes;
	const uint8_t *bytes = slot->data + slot->len1;
	struct hp_dying *crash;
	int64_t result = 0;

	pthread_mutex_lock(&notes->lock);
	crash = dying(notes, slot->tid, slot->arg[0] == HP_CRASH_HEAD);
	if (!crash) {
		result = -ENOENT;
	} else if (slot->arg[0] == HP_CRASH_HEAD) {
		crash->length = sizeof(struct told_crash);
		memset(crash->count, 0, sizeof crash->count);
		append(crash, bytes, slot->len2, &crash->count[0]);
		append(crash, slot->data, slot->len1, &crash->count[1]);
		if (engine->channel->crashes_left > CRASHES) /* the job wrote there */
			engine->channel->crashes_left = 0;
		else if (engine->channel->crashes_left)
			engine->channel->crashes_left--;
		if (notes->crashes > CRASHES)
			result = -ENOSPC;
	} else if (slot->arg[0] == HP_CRASH_MAPS && !crash->count[3]) {
		append(crash, bytes, slot->len2, &crash->count[2]);
	} else if (slot->arg[0] == HP_CRASH_STACK) {
		append(crash, bytes, slot->len2, &crash->count[3]);
	} else if (slot->arg[0] == HP_CRASH_END) {
		memcpy(crash->bytes, crash->count, sizeof(struct told_crash));
		add_note(notes, 'c', crash->bytes, crash->length);
		free(crash->bytes);
		*crash = (struct hp_dying){ 0 };
	}
	pthread_mutex_unlock(&notes->lock);
	return result;
}

/* The next note, its kind first: 'r' a refusal, 'c' a crash. 0 after the timeout. */
long hp_engine_note(hp_engine *engine, char *buffer, size_t room, int timeout_ms)
{
	struct hp_notes *notes = &engine->notes;
	struct hp_note *note;
	struct timespec until;
	long length = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000l;
	if (until.tv_nsec >= 1000000000l)
		until.tv_sec++, until.tv_nsec -= 1000000000l;
	pthread_mutex_lock(&notes->lock);
	while (!notes->first && timeout_ms && pthread_cond_timedwait(&notes->filled, &notes->lock, &until) == 0)
		;
	note = notes->first;
	if (note && note->length + 1 <= room) {
		buffer[0] = note->kind;
		memcpy(buffer + 1, note->content, note->length);
		length = (long)note->length + 1;
	}
	if (note) {
		notes->first = note->next;
		if (!notes->first)
			notes->tail = &notes->first;
		notes->count--;
		notes->bytes -= note->length;
		free(note);
	}
	pthread_mutex_unlock(&notes->lock);
	return length;
}

/* For whoever waits in hp_engine_note: after all others. */
void hp_engine_end_notes(hp_engine *engine)
{
	pthread_mutex_lock(&engine->notes.lock);
	add_note(&engine->notes, 'w', "", 0);
	pthread_mutex_unlock(&engine->notes.lock);
}

void hp_notes_stop(hp_engine *engine)
{
	struct hp_notes *notes = &engine->notes;

	while (notes->first) {
		struct hp_note *next = notes->first->next;

		free(notes->first);
		notes->first = next;
	}
	for (unsigned i = 0; i < notes->told_count; i++)
		free(notes->told[i]);
	free(notes->told);
	for (unsigned i = 0; i < HP_DYING; i++)
		free(notes->dying[i].bytes);
}

/* ---- watching --------------------------------------------------------------------------- */

/* From now on calls are written down, or no longer. The number of the next one. */
uint64_t hp_engine_observe(hp_engine *engine, int on)
{
	__atomic_store_n(&engine->channel->observed, on ? 1 : 0, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&engine->channel->seen_next, __ATOMIC_SEQ_CST);
}

/* Copies whole entries from number *next on, which moves; *lost grows by those that
 * were written over before anybody read them. */
long hp_engine_seen(hp_engine *engine, uint8_t *buffer, size_t room, uint64_t *next, uint64_t *lost)
{
	struct hp_channel *channel = engine->channel;
	uint64_t end = __atomic_load_n(&channel->seen_next, __ATOMIC_SEQ_CST);
	size_t length = 0;

	if (*next >= end) /* also if the job wrote there */
		return 0;
	if (end - *next > HP_SEEN) {
		*lost += end - HP_SEEN - *next;
		*next = end - HP_SEEN;
	}
	for (; *next != end && length + sizeof(struct hp_seen) <= room; ++*next) {
		const struct hp_seen *seen = &channel->seen[*next % HP_SEEN];
		uint64_t before = __atomic_load_n(&seen->sequence, __ATOMIC_SEQ_CST);

		if (before == 0 || before < *next + 1)
			break; /* being written just now: the next time */
		memcpy(buffer + length, (const void *)seen, sizeof *seen);
		if (before != *next + 1 || __atomic_load_n(&seen->sequence, __ATOMIC_SEQ_CST) != before)
			++*lost;
		else
			length += sizeof *seen;
	}
	return (long)length;
}
