/* What `hpool cc` adds to a program: room for stubs and gates, the note that tells
 * of them, and how to unwind out of a stub. No code of its own, no state of libc's.
 *
 * Assembled once for each size of ROOM; the program asks for one by its NAME
 * (ld -u NAME), which is also what --gc-sections keeps the rest by.
 */
#include "hpool/relinked.h"

	.section .text.hpool, "ax", @progbits
	.p2align 6
stubs:
	/* A stub is left by unwinding as if it had been called by the syscall instruction
	 * it stands for: same stack pointer, same registers, and the return address is
	 *   stub + (signed) *(uint32_t *)(stub + HP_STUB_BACK),  stub = rip & -HP_STUB_BYTES.
	 * So cancellation and exceptions find the caller's own tables, landing pads included. */
	.cfi_startproc
	.cfi_def_cfa rsp, 0
	.cfi_escape 0x16, 16, 25		/* DW_CFA_val_expression, rip, 25 bytes: */
	.cfi_escape 0x80, 0, 0x09, 0xc0, 0x1a	/* breg16 0; const1s -64; and */
	.cfi_escape 0x12, 0x23, HP_STUB_BACK	/* dup; plus_uconst 60 */
	.cfi_escape 0x94, 4			/* deref_size 4 */
	.cfi_escape 0x0c, 0, 0, 0, 0x80, 0x27	/* const4u 0x80000000; xor */
	.cfi_escape 0x0c, 0, 0, 0, 0x80, 0x1c	/* const4u 0x80000000; minus: the sign extended */
	.cfi_escape 0x22			/* plus */
	.cfi_escape 0x96, 0x96			/* nop */
	.fill ROOM * HP_STUB_BYTES, 1, 0xcc
	.cfi_endproc

	/* Among what is read-only once the program is relocated: no way in for an attacker. */
	.section .data.rel.ro.hpool, "aw", @progbits
	.p2align 3
gates:
	.zero ROOM * 8

	.section .note.hpool, "a", @note
	.p2align 2
	.long 6, note_end - NAME, HP_NOTE_RELINKED
	.asciz "hpool"
	.p2align 2
	.globl NAME
	.hidden NAME
NAME:
	.long HP_RELINKED_VERSION, ROOM, stubs - NAME, gates - NAME, 0, 0, 0, 0
	.zero ROOM * 2
note_end:
	.p2align 2

	/* The program's own checkpoints (csrc/alone), led in front of its start by the post-linker. */
	.section .note.hpool, "a", @note
	.long 6, alone_end - hp_alone_note, HP_NOTE_ALONE
	.asciz "hpool"
	.p2align 2
	.globl hp_alone_note
	.hidden hp_alone_note, hp_alone_entry, hp_alone_begin, hp_alone_end
hp_alone_note:
	.long HP_ALONE_NOTE_VERSION, hp_alone_entry - hp_alone_note, hp_alone_begin - hp_alone_note
	.long hp_alone_end - hp_alone_note
	.quad 0
alone_end:
	.p2align 2

	.section .note.GNU-stack, "", @progbits
