/* Between rewrite.c and code.c. */
#ifndef HPOOL_SITES_H
#define HPOOL_SITES_H

#include "hpool/arch.h"

#define JUMP 5u /* bytes of the jump that a site becomes */

/* Length of an instruction that means the same elsewhere, 0 if unsure; *last:
 * nothing runs on behind it. */
unsigned hp_code_movable(const uint8_t *code, bool *last);
/* Bytes to move so that the jump fits over the syscall at `site`, 0 if that cannot be. */
unsigned hp_code_displaced(const uint8_t *site, const uint8_t *end);
/* Could any code nearby branch into the bytes that change? */
bool hp_code_is_branched_into(const struct hp_text *text, unsigned long site);

#endif
