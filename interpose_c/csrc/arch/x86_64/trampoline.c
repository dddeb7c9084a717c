/* Memory for trampolines, within reach of a 32-bit jump from the text they serve.
 *
 * An area begins with the addresses of the shim's entries, since the shim itself
 * may be farther away than a direct jump reaches. Called under the rewriting
 * lock, but for the two questions at the end. Areas are never unmapped.
 */
#include <linux/mman.h>

#include "hpool/arch.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define AREAS 64
#define AREA_BYTES 16384u
#define REACH 0x7fff0000l
#define LOWEST 0x10000ul
#define HEADER (HP_ENTRIES * sizeof(uint64_t))
#define TAIL 24u /* where in a trampoline displaced code stands */

static struct area {
	uint8_t *base;
	unsigned used;
} areas[AREAS];
static unsigned area_count;

static bool reaches(unsigned long area, const struct hp_text *text)
{
	long first = (long)(area - text->end), last = (long)(area + AREA_BYTES - text->start);

	return first > -REACH && first < REACH && last > -REACH && last < REACH;
}

static bool map_at(struct area *area, unsigned long address)
{
	long got = hp_syscall6(__NR_mmap, (long)address, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	void *entries[HP_ENTRIES] = {
		[HP_ENTER_NATIVE] = hp_entry_native,
		[HP_ENTER_HANDLED] = hp_entry_handled,
		[HP_ENTER_ANY] = hp_entry_any,
	};

	if (got != (long)address) {
		if (got > 0) /* a kernel that takes the address as a hint */
			hp_syscall2(__NR_munmap, got, AREA_BYTES);
		return false;
	}
	area->base = (uint8_t *)address;
	area->used = HEADER;
	memcpy(area->base, entries, sizeof entries);
	return true;
}

/* Below the text first: above a program's own is its heap. */
static bool map_near(struct area *area, const struct hp_text *text)
{
	unsigned long low = text->start & ~0xfffful, high = HP_PAGE_UP(text->end);

	for (unsigned long step = 0x10000; step < 0x70000000; step += step < 0x200000 ? 0x10000 : step / 4) {
		if (low >= step + LOWEST && map_at(area, low - (step & ~0xffful)) &&
		    reaches((unsigned long)area->base, text))
			return true;
	}
	for (unsigned long step = 0x10000000; step < 0x70000000; step += 0x1000000)
		if (map_at(area, high + step) && reaches((unsigned long)area->base, text))
			return true;
	return false;
}

uint8_t *hp_trampoline_room(const struct hp_text *text, unsigned bytes)
{
	struct area *area;
	uint8_t *room;
	unsigned i;

	bytes = (bytes + 15) & ~15u;
	for (i = 0; i < area_count; i++)
		if (areas[i].used + bytes <= AREA_BYTES && reaches((unsigned long)areas[i].base, text))
			break;
	if (i == AREAS)
		return NULL;
	area = &areas[i];
	if (i == area_count) {
		if (!map_near(area, text))
			return NULL;
		__atomic_store_n(&area_count, i + 1, __ATOMIC_RELEASE);
	}
	area->used = (area->used + 15) & ~15u;
	if (area->used + bytes > AREA_BYTES)
		return NULL;
	room = area->base + area->used;
	area->used += bytes;
	return room;
}

static const struct area *area_of(unsigned long address)
{
	for (unsigned i = 0; i < __atomic_load_n(&area_count, __ATOMIC_ACQUIRE); i++)
		if (address >= (unsigned long)areas[i].base && address < (unsigned long)areas[i].base + AREA_BYTES)
			return &areas[i];
	return NULL;
}

uint8_t *hp_trampoline_entry(const uint8_t *trampoline, enum hp_entry entry)
{
	return area_of((unsigned long)trampoline)->base + entry * sizeof(uint64_t);
}

/* A tail has its site's address just before it; the other way back into an
 * area does not exist: a call's return address in it is always a tail. */
unsigned long hp_tail_site(unsigned long address)
{
	unsigned long site;

	if (!area_of(address))
		return 0;
	memcpy(&site, (const void *)(address - sizeof site), sizeof site);
	return site;
}

/* Does `entry` lead to the shim? Where the call goes on, else 0: lea distance(%rip), %rcx. */
static unsigned long leads_to(const uint8_t *entry)
{
	int32_t distance;

	if (entry[0] != 0x48 || entry[1] != 0x8d || entry[2] != 0x0d)
		return 0;
	memcpy(&distance, entry + 3, sizeof distance);
	return (unsigned long)entry + 7 + (unsigned long)(long)distance;
}

/* Trampolines are multiples of 16: mov $nr, %eax and an entry, or an entry and a
 * tail (rewrite.c). Before the shim is entered a call can begin again: at its mov or its syscall. */
unsigned long hp_trampoline_seen(unsigned long rip)
{
	if (!area_of(rip))
		return rip;
	for (unsigned long start = rip & ~15ul; start + 48 > rip && area_of(start); start -= 16) {
		const uint8_t *code = (const uint8_t *)start;
		unsigned long tail = start + TAIL, offset = rip - start;

		if (code[0] == 0xb8 && leads_to(code + 5))
			return offset < 18 ? leads_to(code + 5) - 7 : rip;
		if (leads_to(code) != tail)
			continue;
		memcpy(&start, code + TAIL - sizeof start, sizeof start); /* the site */
		return offset < TAIL ? start : start + 2 + (rip - tail);
	}
	return rip;
}

bool hp_is_trampoline_range(unsigned long address, unsigned long length)
{
	for (unsigned i = 0; i < __atomic_load_n(&area_count, __ATOMIC_ACQUIRE); i++)
		if (address < (unsigned long)areas[i].base + AREA_BYTES &&
		    address + length > (unsigned long)areas[i].base)
			return true;
	return false;
}
