/* What a relinked program carries: a note named "hpool" of this type, in memory
 * while the program runs. relinked/relinked.S reserves it, interpose_c/postlink.py
 * fills it in, front/relinked.c opens its gates. Offsets count from the start of
 * struct hp_relinked, wherever the program was put.
 *
 * Each system call the post-linker has led past a gate goes through a stub:
 * while the gate is 0 (at home) the stub goes back to the syscall instruction,
 * which is still where it was; when the gate holds one of the shim's entries, it
 * jumps there as a trampoline of rewrite.c would.
 */
#ifndef HPOOL_RELINKED_H
#define HPOOL_RELINKED_H

#define HP_NOTE_RELINKED 0x4c504801 /* note type: 'H', 'P', 'L' and 1 */
#define HP_RELINKED_VERSION 1
#define HP_STUB_BYTES 64
#define HP_STUB_BACK 60 /* where a stub says how far behind its start the call returns to */
#define HP_RELINKED_DONE 1
#define HP_ANY_NUMBER 0xffff

/* The second note: what makes the program checkpoint itself (csrc/alone). */
#define HP_NOTE_ALONE 0x4c504802
#define HP_ALONE_NOTE_VERSION 1

#ifndef __ASSEMBLER__
#include <stdint.h>

struct hp_relinked {
	uint32_t version;    /* another one: to be run as any program */
	uint32_t room;      /* stubs and gates there is room for */
	int32_t stubs;      /* offset of the first */
	int32_t gates;      /* offset of the first, 8 bytes each */
	uint32_t gate_count; /* in use */
	uint32_t covered;    /* syscall instructions that have a stub */
	uint32_t left;      /* syscall instructions that have none */
	uint32_t flags;      /* HP_RELINKED_DONE: the post-linker was here */
	uint16_t number[];   /* of each gate: the one call made through it, or HP_ANY_NUMBER */
};
_Static_assert(sizeof(struct hp_relinked) == 32, "struct hp_relinked");
#endif

#endif
