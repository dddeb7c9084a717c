/* What whoever watches the job is told of one call, and of a crash.
 *
 * Owns: entries of the channel's ring. Leaves to others: when (arch/x86_64/observe.c),
 * reading them (the engine), words for people (`hpool trace`).
 */
#include <linux/time.h>

#include "core.h"

#define BYTES_SHOWN 32

static uint64_t now_ns(void)
{
	struct {
		int64_t s, ns;
	} now = { 0, 0 };

	hp_syscall2(__NR_clock_gettime, CLOCK_MONOTONIC, (long)&now);
	return (uint64_t)now.s * 1000000000u + (uint64_t)now.ns;
}

/* Kept although it does not end in the room there is: its beginning is what people read. */
static long text_of(const struct hp_seen *seen, unsigned at, uint64_t user, uint8_t *to)
{
	unsigned room = HP_SEEN_TEXT - at;
	long length = hp_user_text((char *)to, (const char *)user, room);

	(void)seen;
	if (length == -ENAMETOOLONG)
		return hp_user_read(to, (const void *)user, room) ? 0 : (long)room;
	return length < 0 ? 0 : length;
}

/* `kind` of a call's argument: the first letter tells. */
static void keep_texts(struct hp_seen *seen, const struct hp_recorded *call, bool over, long result)
{
	const char *kind = call->nr < hp_handler_count ? hp_argument_kinds[call->nr] : "";
	unsigned kept = 0, at = 0;

	for (unsigned i = 0; i < 6 && *kind && kept < 2; i++) {
		bool name = hp_starts(kind, "path") || hp_starts(kind, "str");
		long length = 0;

		if (name && !over)
			length = text_of(seen, at, call->arg[i], seen->text + at);
		else if (over && result > 0 && hp_starts(kind, "buf")) {
			length = result < BYTES_SHOWN ? result : BYTES_SHOWN;
			if (hp_user_read(seen->text + at, (const void *)call->arg[i], (size_t)length))
				length = 0;
		}
		if (length > 0) {
			seen->kept[kept] = (uint8_t)i;
			seen->length[kept++] = (uint16_t)length;
			at += (unsigned)length;
			if (name && kept == 1 && at > HP_SEEN_TEXT - 100)
				return;
		}
		while (*kind && *kind++ != ' ')
			;
	}
}

static void put(const struct hp_recorded *call, uint32_t flags, long result)
{
	unsigned long *words = hp_thread_words();
	uint64_t number = __atomic_fetch_add(&hp_channel->seen_next, 1, __ATOMIC_SEQ_CST), now = now_ns();
	struct hp_seen *seen = &hp_channel->seen[number % HP_SEEN];

	__atomic_store_n(&seen->sequence, 0, __ATOMIC_SEQ_CST);
	if (flags & HP_SEEN_BEGUN) {
		words[HP_WORD_START] = now;
		words[HP_WORD_ASKED] = words[HP_WORD_TRIPS] = 0;
	}
	seen->start_ns = words[HP_WORD_START];
	seen->duration_ns = now - words[HP_WORD_START];
	seen->result = result;
	for (int i = 0; i < 6; i++)
		seen->arg[i] = call->arg[i];
	seen->nr = call->nr;
	seen->flags = flags;
	seen->pid = (int32_t)hp_syscall0(__NR_getpid);
	seen->tid = (int32_t)hp_syscall0(__NR_gettid);
	seen->asked = (uint32_t)words[HP_WORD_ASKED];
	seen->trips = (uint32_t)words[HP_WORD_TRIPS];
	seen->length[0] = seen->length[1] = 0;
	keep_texts(seen, call, !(flags & HP_SEEN_BEGUN), result);
	__atomic_store_n(&seen->sequence, number + 1, __ATOMIC_SEQ_CST);
}

void hp_count_calls(void)
{
	if (hp_channel)
		__atomic_add_fetch(&hp_channel->calls, hp_thread_uncounted(), __ATOMIC_RELAXED);
}

void hp_seen_begin(const struct hp_recorded *call)
{
	if (hp_channel)
		put(call, HP_SEEN_BEGUN, 0);
}

void hp_seen_end(const struct hp_recorded *call, long result, bool passed)
{
	if (hp_channel)
		put(call, passed ? HP_SEEN_PASSED : 0, result);
}

bool hp_crash_piece(enum hp_crash_piece piece, const void *bytes, uint32_t length)
{
	struct hp_ask ask = { .op = HP_REQ_CRASH, .arg = { piece }, .data2 = bytes, .len2 = length };
	const char *exe = hp_self_exe();

	if (!hp_channel || (piece == HP_CRASH_HEAD && hp_channel->crashes_left == 0))
		return false;
	if (piece == HP_CRASH_HEAD && exe) {
		ask.data1 = exe;
		ask.len1 = (uint32_t)hp_strlen(exe);
	}
	return hp_ask(&ask) == 0;
}
