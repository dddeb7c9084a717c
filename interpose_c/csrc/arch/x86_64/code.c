/* Reading machine code at a call site: what may be moved elsewhere, what might be branched into.
 *
 * Owns: judgement of bytes, always on the safe side. Leaves to others: what is
 * done with a site (rewrite.c).
 */
#include "sites.h"

#define BRANCH_REACH 2048ul

/* Length of an instruction that means the same elsewhere, 0 if unsure; *last:
 * nothing runs on behind it. */
unsigned hp_code_movable(const uint8_t *code, bool *last)
{
	unsigned rex = (code[0] & 0xf0) == 0x40;

	*last = false;
	if (code[0] == 0xc3) { /* ret */
		*last = true;
		return 1;
	}
	if (code[0] == 0x90)
		return 1;
	code += rex;
	if (code[0] == 0x3d) /* cmp $imm32, %rax */
		return rex + 5;
	if ((code[0] == 0x85 || code[0] == 0x89 || code[0] == 0x39 || code[0] == 0x31) &&
	    code[1] >= 0xc0) /* test, mov, cmp, xor */
		return rex + 2;
	if (code[0] == 0x83 && code[1] >= 0xc0) /* cmp, add, ... $imm8 */
		return rex + 3;
	if ((code[0] & 0xf8) == 0x58 && code[0] != 0x5c) /* pop */
		return rex + 1;
	return 0;
}

/* Filler behind a ret: int3, or what assemblers align with. */
static bool is_padding(const uint8_t *code, unsigned count)
{
	if (code[0] == 0x66 &&
	    (code[1] == 0x66 || code[1] == 0x2e || code[1] == 0x90 || (code[1] == 0x0f && code[2] == 0x1f)))
		return true;
	if (code[0] == 0x0f && code[1] == 0x1f)
		return true;
	for (unsigned i = 0; i < count; i++)
		if (code[i] != 0x90 && code[i] != 0xcc)
			return false;
	return true;
}

/* Bytes to move so that the jump fits over the syscall, 0 if that cannot be. */
unsigned hp_code_displaced(const uint8_t *site, const uint8_t *end)
{
	unsigned count = 0;

	while (count + 2 < JUMP) {
		bool last;
		unsigned length;

		if (site + 2 + count + 12 > end)
			return 0;
		length = hp_code_movable(site + 2 + count, &last);
		if (length == 0)
			return 0;
		count += length;
		if (last && count + 2 < JUMP)
			return is_padding(site + 2 + count, JUMP - 2 - count) ? count : 0;
	}
	return count;
}

static bool hits_inside(unsigned long target, unsigned long site)
{
	return target - site - 1 < JUMP - 1;
}

static bool is_short_branch(const uint8_t *code)
{
	return (code[0] & 0xf0) == 0x70 || code[0] == 0xeb || (code[0] & 0xfc) == 0xe0;
}

static bool is_long_branch(const uint8_t *distance)
{
	return distance[-1] == 0xe9 || distance[-1] == 0xe8 || (distance[-2] == 0x0f && (distance[-1] & 0xf0) == 0x80);
}

static unsigned long up_to(unsigned long address, unsigned long bytes, unsigned long limit)
{
	return limit - address > bytes ? address + bytes : limit;
}

/* Could any code nearby branch into the bytes that change? Looks at every byte
 * as if an instruction began there, so it errs to the safe side. */
bool hp_code_is_branched_into(const struct hp_text *text, unsigned long site)
{
	unsigned long first = site - text->start > BRANCH_REACH ? site - BRANCH_REACH : text->start + 2;
	unsigned long last = up_to(site, BRANCH_REACH, text->end - 4), near = site - first > 130 ? site - 130 : first;

	for (unsigned long at = near; at < up_to(site, 130, last); at++)
		if (is_short_branch((const uint8_t *)at) &&
		    hits_inside(at + 2 + (unsigned long)(long)((const int8_t *)at)[1], site))
			return true;
	for (unsigned long at = first; at < last; at++) { /* where the distance of a long branch could stand */
		int32_t distance;

		memcpy(&distance, (const void *)at, 4);
		if (hits_inside(at + 4 + (unsigned long)(long)distance, site) && is_long_branch((const uint8_t *)at))
			return true;
	}
	return false;
}
