/* Where entry.S finds things: struct hp_thread, the frame. Asserted in thread.c. */
#ifndef HPOOL_OFFSETS_H
#define HPOOL_OFFSETS_H

/* struct hp_thread, %gs:0 */
#define T_SELF 0
#define T_RETURN 8
#define T_APP_STACK 16
#define T_FRAME 24
#define T_DEFERRED 32
#define T_TRACED 36 /* beside it: one comparison tests both */
#define T_TAIL_ARG 40 /* six words: the caller's rdi rsi rdx r10 r8 r9 */
#define T_TAIL_NR 88
#define T_RESULT 96
#define T_MASK 104
#define T_OWNER 128
#define T_EXIT 136
#define T_PROGRAM_GS 144
#define T_LAST 152 /* the recorder's entry of the call under way */
#define T_OBSERVED_RESULT 160
#define T_CALLS 168
#define T_RECORDED 192

/* struct hp_recorded */
#define L_NR 0
#define L_DONE 4
#define L_ARG 8
#define L_RESULT 56
#define RECORDED 32

#define OBSERVED_NR 471 /* no call: the end of one that was passed on while somebody watched */

/* The frame: struct hp_call, then struct hp_regs */
#define C_NR 0
#define C_ARG 8
#define C_REGS 56
#define FRAME_REGS 64
#define R_R15 (FRAME_REGS + 0)
#define R_R14 (FRAME_REGS + 8)
#define R_R13 (FRAME_REGS + 16)
#define R_R12 (FRAME_REGS + 24)
#define R_RBP (FRAME_REGS + 32)
#define R_RBX (FRAME_REGS + 40)
#define R_R10 (FRAME_REGS + 48)
#define R_R9 (FRAME_REGS + 56)
#define R_R8 (FRAME_REGS + 64)
#define R_RDX (FRAME_REGS + 72)
#define R_RSI (FRAME_REGS + 80)
#define R_RDI (FRAME_REGS + 88)
#define R_RAX (FRAME_REGS + 96)
#define R_NR (FRAME_REGS + 104)
#define R_RIP (FRAME_REGS + 112)
#define R_RSP (FRAME_REGS + 120)
#define R_FLAGS (FRAME_REGS + 128)
#define FRAME_BYTES 208

#endif
