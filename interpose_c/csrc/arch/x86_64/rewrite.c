/* Rewriting call sites, when they are hit again, to a jump into a trampoline.
 *
 * A: mov $nr, %eax; syscall    The mov becomes the jump; the syscall stays, so a
 *                              thread between the two just takes the slow way.
 * C: syscall; harmless code    The jump covers the syscall and what follows, at
 *                              least three bytes, which move to the trampoline's tail.
 *
 * What makes C right with threads: whether a site may ever become one is decided
 * at its first hit, once, for good. From then on every slow call of it goes on
 * in the tail, never behind the syscall, where bytes may change at any moment.
 * A decision costs nothing when it is not used.
 *
 * In doubt a site stays slow: no private file mapping, a branch into the bytes to be moved,
 * the jump across a cache line while other threads run.
 */
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "sites.h"

#define SITES 4096u
#define SLOTS 8192u /* a power of two */
#define HOT 2u      /* hits at which a site is rewritten */
#define PLAIN 1ul   /* goes on behind the syscall, for ever */
#define LINE 64u
#define MOVED_MAX 9u
#define SPECIAL 65536l /* no mapping of the kernel's own is larger */

struct site {
	unsigned long address;
	unsigned long tail; /* 0 undecided, PLAIN, or where calls go on */
	uint32_t hits;
	uint32_t done; /* rewritten, or not to be tried again */
};

/* Dense, with the hashing apart: a short program touches few pages of it. */
static struct site sites[SITES]; /* number 0 is never used */
static uint16_t slots[SLOTS];
static uint32_t site_count;
uint32_t hp_rewriting;

bool hp_site_number(unsigned number, unsigned long *address, unsigned long *tail)
{
	const struct site *site = &sites[++number % SITES];

	*address = site->address;
	*tail = site->tail == PLAIN ? 0 : site->tail;
	return number <= site_count && number < SITES;
}

/* Lock-free: threads may come to a new site at once. NULL: the table is full. */
static struct site *find(unsigned long address)
{
	unsigned slot = (unsigned)((address * 0x9e3779b97f4a7c15ul) >> 51);
	uint16_t number = 0;

	for (unsigned probe = 0; probe < 64; probe++, slot = (slot + 1) % SLOTS) {
		uint16_t seen = __atomic_load_n(&slots[slot], __ATOMIC_ACQUIRE);

		if (seen == 0) {
			if (number == 0) {
				uint32_t next = __atomic_load_n(&site_count, __ATOMIC_RELAXED);

				if (next >= SITES - 1)
					return NULL;
				next = __atomic_add_fetch(&site_count, 1, __ATOMIC_RELAXED);
				if (next >= SITES)
					return NULL;
				number = (uint16_t)next;
				sites[number].address = address;
			}
			if (__atomic_compare_exchange_n(&slots[slot], &seen, number, false, __ATOMIC_SEQ_CST,
							__ATOMIC_SEQ_CST))
				return &sites[number];
		}
		if (sites[seen].address == address)
			return &sites[seen];
	}
	return NULL;
}

static const struct site *known(unsigned long address)
{
	unsigned slot = (unsigned)((address * 0x9e3779b97f4a7c15ul) >> 51);

	for (unsigned probe = 0; probe < 64; probe++, slot = (slot + 1) % SLOTS) {
		uint16_t seen = __atomic_load_n(&slots[slot], __ATOMIC_ACQUIRE);

		if (seen == 0)
			return NULL;
		if (sites[seen].address == address)
			return &sites[seen];
	}
	return NULL;
}

/* ---- trampolines -------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, const void *bytes, unsigned count)
{
	memcpy(at, bytes, count);
	return at + count;
}

/* An instruction that ends in a 32-bit distance to `target`. */
static uint8_t *put_relative(uint8_t *at, const char *opcode, unsigned count, const uint8_t *target)
{
	int32_t distance;

	at = put(at, opcode, count);
	distance = (int32_t)(target - (at + 4));
	return put(at, &distance, 4);
}

static uint8_t *put_entry(uint8_t *at, const uint8_t *return_to, enum hp_entry entry)
{
	uint8_t *pointer = hp_trampoline_entry(at, entry);

	at = put_relative(at, "\x48\x8d\x0d", 3, return_to); /* lea return_to(%rip), %rcx */
	return put_relative(at, "\xff\x25", 2, pointer);     /* jmp *pointer(%rip) */
}

/* 13 bytes of entry, padding to 16, the site, the tail, a jump back. */
static unsigned long make_tail(const struct hp_text *text, uint8_t *site, unsigned count)
{
	uint8_t *trampoline = hp_trampoline_room(text, 24 + count + JUMP), *at;

	if (!trampoline)
		return PLAIN;
	put_entry(trampoline, trampoline + 24, HP_ENTER_ANY);
	put(trampoline + 16, &site, 8);
	at = put(trampoline + 24, site + 2, count);
	put_relative(at, "\xe9", 1, site + 2 + count);
	return (unsigned long)trampoline + 24;
}

static bool has_number(const uint8_t *site, const struct hp_text *text, unsigned long nr)
{
	uint32_t number;

	if ((unsigned long)site < text->start + 6 || site[-5] != 0xb8)
		return false;
	/* a prefix would make the mov another instruction */
	if ((site[-6] & 0xf0) == 0x40 || site[-6] == 0x66 || site[-6] == 0x0f)
		return false;
	memcpy(&number, site - 4, 4);
	return number == nr;
}

static bool in_one_line(const uint8_t *at)
{
	return (unsigned long)at % LINE <= LINE - JUMP;
}

/* ---- deciding and doing ----------------------------------------------------- */

static unsigned long decide(uint8_t *site, unsigned long nr)
{
	struct hp_text text;
	unsigned count;

	if (!hp_text_find((unsigned long)site, &text))
		return PLAIN;
	if (hp_relinked_covers(&text, (unsigned long)site))
		return PLAIN;
	if (has_number(site, &text, nr) && (in_one_line(site - JUMP) || !in_one_line(site)))
		return PLAIN;
	count = hp_code_displaced(site, (const uint8_t *)text.end);
	if (count == 0 || hp_code_is_branched_into(&text, (unsigned long)site))
		return PLAIN;
	return make_tail(&text, site, count);
}

/* Five bytes at once, so that no thread ever sees a part of them. */
static bool store_at_once(uint8_t *at, const uint8_t *bytes)
{
	uint8_t *window = (uint8_t *)((unsigned long)at & ~7ul), old[8], new[8];
	uint64_t from, to;

	if ((unsigned long)at % 8 + JUMP > 8) {
		unsigned offset = (unsigned long)at % LINE;

		window = at - (offset < LINE - 8 ? 0 : offset - (LINE - 8));
	}
	memcpy(old, window, 8);
	memcpy(new, old, 8);
	memcpy(new + (at - window), bytes, JUMP);
	memcpy(&from, old, 8);
	memcpy(&to, new, 8);
	return __sync_bool_compare_and_swap((uint64_t *)window, from, to);
}

/* Where text may not be made writable (W^X rules), the kernel writes for us. */
static bool store_through_kernel(uint8_t *at, const uint8_t *bytes)
{
	long fd = hp_syscall4(__NR_openat, AT_FDCWD, (long)"/proc/thread-self/mem", O_RDWR | O_CLOEXEC, 0), put_bytes;

	if (fd < 0)
		return false;
	put_bytes = hp_syscall4(__NR_pwrite64, fd, (long)bytes, JUMP, (long)at);
	hp_syscall1(__NR_close, fd);
	return put_bytes == JUMP;
}

static bool write_jump(uint8_t *at, const uint8_t *target, const struct hp_text *text)
{
	unsigned long first = (unsigned long)at & ~(HP_PAGE - 1),
		      last = ((unsigned long)at + JUMP - 1) & ~(HP_PAGE - 1);
	long length = (long)(last - first + HP_PAGE);
	bool alone = hp_alone(), done = false;
	uint8_t jump[JUMP];
	int32_t distance;

	if (!in_one_line(at) && !alone)
		return false;
	distance = (int32_t)(target - (at + JUMP));
	jump[0] = 0xe9;
	memcpy(jump + 1, &distance, 4);
	if (hp_syscall3(__NR_mprotect, (long)first, length, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		first = text->start; /* the vdso cannot be split */
		length = (long)(text->end - text->start);
		if (length > SPECIAL ||
		    hp_syscall3(__NR_mprotect, (long)first, length, PROT_READ | PROT_WRITE | PROT_EXEC))
			return alone && store_through_kernel(at, jump);
	}
	if (in_one_line(at)) {
		done = store_at_once(at, jump);
	} else {
		memcpy(at, jump, JUMP);
		done = true;
	}
	hp_syscall3(__NR_mprotect, (long)first, length, text->protection);
	return done;
}

/* Another thread may be writing the jump: each byte is read where the call stands, and once. */
static bool is_syscall(const uint8_t *site)
{
	return __atomic_load_n(site, __ATOMIC_ACQUIRE) == 0x0f && __atomic_load_n(site + 1, __ATOMIC_ACQUIRE) == 0x05;
}

static void rewrite(struct site *entry, unsigned long nr)
{
	uint8_t *site = (uint8_t *)entry->address, *trampoline;
	struct hp_text text;

	if (!hp_text_find(entry->address, &text) || !is_syscall(site)) {
		entry->done = 1;
		return;
	}
	if (entry->tail != PLAIN) {
		entry->done = write_jump(site, (const uint8_t *)entry->tail - 24, &text) || !in_one_line(site);
		return;
	}
	if (!has_number(site, &text, nr) || (!in_one_line(site - JUMP) && !hp_alone())) {
		entry->done = 1;
		return;
	}
	entry->done = 1;
	trampoline = hp_trampoline_room(&text, JUMP + 13);
	if (!trampoline)
		return;
	put(trampoline, site - JUMP, JUMP); /* the mov itself */
	put_entry(trampoline + JUMP, site + 2,
		  nr >= hp_handler_count ? HP_ENTER_ANY :
		  hp_handlers[nr]        ? HP_ENTER_HANDLED :
					   HP_ENTER_NATIVE);
	write_jump(site - JUMP, trampoline, &text);
}

/* Is what stands behind the syscall still what the tail does? Else other code was mapped here since.
 * Bytes that differ tell of that only if the syscall still stands there after the look: else the jump was written. */
static bool tail_holds(const uint8_t *site, unsigned long tail)
{
	unsigned count = hp_code_displaced(site, site + 64);
	bool same = count != 0 && !memcmp(site + 2, (const uint8_t *)tail, count);

	return same || !is_syscall(site);
}

unsigned long hp_site_hit(unsigned long address, unsigned long nr)
{
	struct site *site = find(address);
	unsigned long tail;

	if (!site)
		return address + 2;
	tail = __atomic_load_n(&site->tail, __ATOMIC_ACQUIRE);
	if (tail == 0) {
		unsigned long decision = PLAIN;
		bool locked = hp_lock_try(&hp_rewriting);

		if (locked)
			decision = decide((uint8_t *)address, nr);
		/* without the lock another thread may be deciding: the first decision stands */
		if (__atomic_compare_exchange_n(&site->tail, &tail, decision, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			tail = decision;
		if (locked)
			hp_unlock(&hp_rewriting);
	}
	if (__atomic_add_fetch(&site->hits, 1, __ATOMIC_RELAXED) >= HOT && !site->done && hp_lock_try(&hp_rewriting)) {
		if (!site->done)
			rewrite(site, nr);
		hp_unlock(&hp_rewriting);
	}
	return tail == PLAIN || !tail_holds((const uint8_t *)address, tail) ? address + 2 : tail;
}

unsigned long hp_site_known(unsigned long rip)
{
	const struct site *site = known(rip);
	unsigned long tail = site ? __atomic_load_n(&site->tail, __ATOMIC_ACQUIRE) : 0;

	if (tail == 0)
		return 0;
	return tail == PLAIN || !tail_holds((const uint8_t *)rip, tail) ? rip + 2 : tail;
}

static unsigned tail_bytes(unsigned long tail)
{
	unsigned count = 0, length;
	bool last = false;

	while (count + 2 < JUMP && !last && (length = hp_code_movable((const uint8_t *)tail + count, &last)) != 0)
		count += length;
	return count;
}

/* Behind a syscall whose tail has been made, the tail is the way on. */
unsigned long hp_trampoline_unseen(unsigned long rip)
{
	for (unsigned offset = 0; offset < MOVED_MAX; offset++) {
		const struct site *site = known(rip - 2 - offset);
		unsigned long tail = site ? __atomic_load_n(&site->tail, __ATOMIC_ACQUIRE) : 0;

		if (tail > PLAIN && offset < tail_bytes(tail))
			return tail + offset;
	}
	return rip;
}
