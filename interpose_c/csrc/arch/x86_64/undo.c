/* Text as the program knows it: what rewrite.c changed is put back.
 *
 * Called while all other threads are stopped. A thread on its way through a
 * trampoline goes on there: trampolines and their tails stay mapped.
 */
#include <linux/mman.h>

#include "hpool/arch.h"

#define JUMP 5u
#define ENTRY_BYTES 24 /* between a trampoline of a syscall that was itself replaced, and its tail */

void hp_rewrite_after_fork(void)
{
	hp_rewriting = 0;
}

void hp_rewrite_pause(void)
{
	hp_lock(&hp_rewriting);
}

static bool jumps_to(const uint8_t *at, unsigned long *target)
{
	int32_t distance;

	if (at[0] != 0xe9)
		return false;
	memcpy(&distance, at + 1, sizeof distance);
	*target = (unsigned long)(at + JUMP) + (unsigned long)(long)distance;
	return true;
}

static void put_back(uint8_t *at, const uint8_t bytes[JUMP])
{
	struct hp_text text;
	unsigned long first = (unsigned long)at & ~(HP_PAGE - 1);
	long length = (long)(HP_PAGE_UP((unsigned long)at + JUMP) - first);

	if (!hp_text_find((unsigned long)at, &text))
		return;
	if (hp_syscall3(__NR_mprotect, (long)first, length, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		first = text.start; /* the vdso cannot be split */
		length = (long)(text.end - text.start);
		if (hp_syscall3(__NR_mprotect, (long)first, length, PROT_READ | PROT_WRITE | PROT_EXEC))
			return;
	}
	memcpy(at, bytes, JUMP);
	hp_syscall3(__NR_mprotect, (long)first, length, text.protection);
}

static void undo(uint8_t *site, const uint8_t *tail)
{
	struct hp_text text;
	uint8_t bytes[JUMP] = { 0x0f, 0x05 };
	unsigned long target;

	if (!hp_text_find((unsigned long)site, &text))
		return; /* its mapping is gone */
	if (tail && jumps_to(site, &target) && target == (unsigned long)tail - ENTRY_BYTES) {
		memcpy(bytes + 2, tail, JUMP - 2);
		put_back(site, bytes);
	} else if ((unsigned long)site >= text.start + JUMP && jumps_to(site - JUMP, &target) &&
		   hp_is_trampoline_range(target, JUMP)) {
		put_back(site - JUMP, (const uint8_t *)target); /* it begins with what it replaced */
	}
}

void hp_rewrite_undo(void)
{
	unsigned long site, tail;

	for (unsigned number = 0; hp_site_number(number, &site, &tail); number++)
		if (site)
			undo((uint8_t *)site, (const uint8_t *)tail);
}
