/* From a rewritten site or the SIGSYS handler into the shim, and back.
 *
 * Entered by jump: rax = number, rcx = where the caller goes on, the rest as the
 * caller left it (rcx and r11 are a system call's to clobber). Neither the
 * caller's stack nor its red zone is touched, so goroutine stacks are safe.
 *
 * Every label that deliver.c looks at is global here. It relies on:
 *  - on the caller's stack and before a syscall instruction: nothing happened
 *    yet, the call can be made again from its site;
 *  - on the caller's stack and after it: rax is the result, return_to is set;
 *  - on the shim's stack: the frame is (being) written; the signal is deferred
 *    and looked for at hp_leave.
 */
#include <asm/unistd.h>
#include "offsets.h"

	.text
	.macro FUNCTION name
	.globl \name
	.hidden \name
	.type \name, @function
	.p2align 4
\name:
	.endm
	.macro LABEL name
	.globl \name
	.hidden \name
\name:
	.endm
/* The caller's registers from the frame; rcx = where it goes on. */
	.macro GIVE_BACK
	mov R_FLAGS(%rsp), %rax
	add $0x7f, %al
	sahf
	mov R_R15(%rsp), %r15
	mov R_R14(%rsp), %r14
	mov R_R13(%rsp), %r13
	mov R_R12(%rsp), %r12
	mov R_RBP(%rsp), %rbp
	mov R_RBX(%rsp), %rbx
	mov R_R10(%rsp), %r10
	mov R_R9(%rsp), %r9
	mov R_R8(%rsp), %r8
	mov R_RDX(%rsp), %rdx
	mov R_RSI(%rsp), %rsi
	mov R_RDI(%rsp), %rdi
	mov R_RIP(%rsp), %rcx
	mov R_RAX(%rsp), %rax
	mov R_RSP(%rsp), %rsp
	.endm

/* The number is not known beforehand. Clobbers flags: only for sites whose next
 * instruction sets them, and for numbers outside of the table. */
FUNCTION hp_entry_any
	mov %rcx, %gs:T_RETURN
	mov hp_handler_count(%rip), %r11d
	cmp %r11, %rax
	jae hp_entry_unknown
	lea hp_handlers(%rip), %r11
	cmpq $0, (%r11,%rax,8)
	jne hp_entry_save
	/* fall through */
LABEL hp_pass
	syscall
LABEL hp_pass_done
	jmp *%gs:T_RETURN
LABEL hp_entry_unknown
	mov $-38, %rax /* ENOSYS */
LABEL hp_unknown_done
	jmp *%gs:T_RETURN

FUNCTION hp_entry_native
	mov %rcx, %gs:T_RETURN
LABEL hp_native
	syscall
LABEL hp_native_done
	jmp *%gs:T_RETURN

/* int $0x80 changes rax alone, so the SIGSYS handler has set return_to. */
FUNCTION hp_entry_int80
	int $0x80
LABEL hp_int80_done
	jmp *%gs:T_RETURN

/* From the tracer: %gs is ours already, r11 = what the program has there. */
FUNCTION hp_entry_traced
	mov %r11, %gs:T_PROGRAM_GS
LABEL hp_entry_traced_gs
	jmp hp_entry_handled

FUNCTION hp_entry_handled
	mov %rcx, %gs:T_RETURN
LABEL hp_entry_save
	mov %rsp, %gs:T_APP_STACK
	mov %gs:T_FRAME, %rsp
LABEL hp_entry_on_stack
	mov %rax, C_NR(%rsp)
	mov %rdi, C_ARG(%rsp)
	mov %rsi, C_ARG+8(%rsp)
	mov %rdx, C_ARG+16(%rsp)
	mov %r10, C_ARG+24(%rsp)
	mov %r8, C_ARG+32(%rsp)
	mov %r9, C_ARG+40(%rsp)
	mov %r15, R_R15(%rsp)
	mov %r14, R_R14(%rsp)
	mov %r13, R_R13(%rsp)
	mov %r12, R_R12(%rsp)
	mov %rbp, R_RBP(%rsp)
	mov %rbx, R_RBX(%rsp)
	mov %r10, R_R10(%rsp)
	mov %r9, R_R9(%rsp)
	mov %r8, R_R8(%rsp)
	mov %rdx, R_RDX(%rsp)
	mov %rsi, R_RSI(%rsp)
	mov %rdi, R_RDI(%rsp)
	mov %rax, R_NR(%rsp)
	mov %gs:T_RETURN, %rcx
	mov %rcx, R_RIP(%rsp)
	mov %gs:T_APP_STACK, %r11
	mov %r11, R_RSP(%rsp)
	mov %rax, %r11
	lahf
	seto %al
	mov %rax, R_FLAGS(%rsp)
	cld
	lea FRAME_REGS(%rsp), %rax
	mov %rax, C_REGS(%rsp)
	/* the flight recorder: what this thread did last, for whoever asks after a crash */
	mov %gs:T_SELF, %rbx
	mov T_CALLS(%rbx), %ecx
	inc %ecx
	mov %ecx, T_CALLS(%rbx)
	and $(RECORDED - 1), %ecx
	shl $6, %ecx
	lea T_RECORDED(%rbx,%rcx), %rbx
	mov %rbx, %gs:T_LAST
	mov %r11, L_NR(%rbx) /* and not done */
	mov %rdi, L_ARG(%rbx)
	mov %rsi, L_ARG+8(%rbx)
	mov %rdx, L_ARG+16(%rbx)
	mov %r10, L_ARG+24(%rbx)
	mov %r8, L_ARG+32(%rbx)
	mov %r9, L_ARG+40(%rbx)
	mov %rsp, %rdi
	lea hp_handlers(%rip), %rax
	mov (%rax,%r11,8), %rsi
	mov hp_observed(%rip), %rcx
	cmpl $0, (%rcx)
	jne hp_entry_observed
	call *%rsi
hp_answered:
	/* HP_PASS, HP_TAIL, HP_RESTART, HP_AGAIN are four neighbours */
	movabs $-0x7fffffffffff0004, %r11
	mov %rax, %rcx
	sub %r11, %rcx
	cmp $3, %rcx
	jbe hp_special
	mov %rax, R_RAX(%rsp)
	mov %rax, L_RESULT(%rbx)
	movl $1, L_DONE(%rbx)
/* rsp = the frame, its rax = what the caller gets */
LABEL hp_leave
	cmpq $0, %gs:T_DEFERRED /* and T_TRACED */
	jne hp_leave_otherwise
	GIVE_BACK
LABEL hp_leave_jump
	jmp *%rcx

LABEL hp_leave_otherwise
	cmpl $0, %gs:T_DEFERRED
	jne hp_leave_deferred
	mov R_RIP(%rsp), %rcx
	mov %rcx, %gs:T_RETURN
	GIVE_BACK
/* The ways out of a call that was passed on: T_EXIT is one of them. */
LABEL hp_exit_traced
	mov %gs:T_RETURN, %rcx
	mov %gs:T_PROGRAM_GS, %r11
LABEL hp_exit_gs
	wrgsbase %r11
LABEL hp_exit_jump
	jmp *%rcx
LABEL hp_exit_plain
	jmp *%gs:T_RETURN

/* rcx = 0 HP_AGAIN, 1 HP_RESTART, 2 HP_TAIL, 3 HP_PASS */
LABEL hp_special
	cmp $2, %rcx
	je hp_leave_tail
	ja hp_leave_pass
	mov %rax, R_RAX(%rsp) /* hp_deliver_deferred decides */
	jmp hp_leave_deferred

/* HP_PASS: as if there had been no handler. The handler kept the other registers, and rbx is ours. */
LABEL hp_leave_pass
	cmpl $0, %gs:T_DEFERRED
	jne hp_pass_later
	mov R_FLAGS(%rsp), %rax
	add $0x7f, %al
	sahf
	mov R_R10(%rsp), %r10
	mov R_R9(%rsp), %r9
	mov R_R8(%rsp), %r8
	mov R_RDX(%rsp), %rdx
	mov R_RSI(%rsp), %rsi
	mov R_RDI(%rsp), %rdi
	mov R_NR(%rsp), %rax
	mov R_RBX(%rsp), %rbx
	mov R_RSP(%rsp), %rsp
LABEL hp_pass_on_app_stack
	syscall
LABEL hp_pass_on_app_stack_done
	mov %gs:T_LAST, %rcx
	mov %rax, L_RESULT(%rcx)
	movl $1, L_DONE(%rcx)
LABEL hp_pass_on_app_stack_jump
	jmp *%gs:T_EXIT
LABEL hp_pass_later
	movabs $-0x7fffffffffff0004, %rax /* HP_AGAIN */
	mov %rax, R_RAX(%rsp)
	jmp hp_leave_deferred

/* HP_TAIL: with other arguments; the caller's wait in the thread block. */
LABEL hp_leave_tail
	cmpl $0, %gs:T_DEFERRED
	jne hp_pass_later
	mov R_RDI(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG
	mov R_RSI(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+8
	mov R_RDX(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+16
	mov R_R10(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+24
	mov R_R8(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+32
	mov R_R9(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+40
	mov R_NR(%rsp), %rax
	mov %rax, %gs:T_TAIL_NR
	mov R_FLAGS(%rsp), %rax
	add $0x7f, %al
	sahf
	mov C_ARG(%rsp), %rdi
	mov C_ARG+8(%rsp), %rsi
	mov C_ARG+16(%rsp), %rdx
	mov C_ARG+24(%rsp), %r10
	mov C_ARG+32(%rsp), %r8
	mov C_ARG+40(%rsp), %r9
	mov C_NR(%rsp), %rax
	mov R_RBX(%rsp), %rbx
	mov R_RSP(%rsp), %rsp
LABEL hp_tail_on_app_stack
	syscall
LABEL hp_tail_done
	mov %gs:T_TAIL_ARG, %rdi
	mov %gs:T_TAIL_ARG+8, %rsi
	mov %gs:T_TAIL_ARG+16, %rdx
	mov %gs:T_TAIL_ARG+24, %r10
	mov %gs:T_TAIL_ARG+32, %r8
	mov %gs:T_TAIL_ARG+40, %r9
	mov %gs:T_LAST, %rcx
	mov %rax, L_RESULT(%rcx)
	movl $1, L_DONE(%rcx)
LABEL hp_tail_jump
	jmp *%gs:T_EXIT

/* Somebody watches: hp_observe makes the call, between two entries for him. If it
 * passes the call on, it has made the way out lead to hp_observed_done. */
hp_entry_observed:
	call hp_observe /* (call, handler) */
	jmp hp_answered

/* On the caller's stack, rax = the result of what was passed on. */
LABEL hp_observed_done
	mov %rax, %gs:T_OBSERVED_RESULT
	mov $OBSERVED_NR, %eax
LABEL hp_observed_jump
	jmp hp_entry_save

/* Signals wait: hand them back to the kernel, then unblock on the caller's own
 * stack with everything in place, so that they arrive as if just now. */
LABEL hp_leave_deferred
	mov %rsp, %rdi
	call hp_deliver_deferred
/* rsp = the frame, %gs:T_MASK = the mask to have; everything is blocked until then */
LABEL hp_leave_unblocking
	mov R_R15(%rsp), %r15
	mov R_R14(%rsp), %r14
	mov R_R13(%rsp), %r13
	mov R_R12(%rsp), %r12
	mov R_RBP(%rsp), %rbp
	mov R_RBX(%rsp), %rbx
	mov R_RDI(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG
	mov R_RSI(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+8
	mov R_RDX(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+16
	mov R_R10(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+24
	mov R_R8(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+32
	mov R_R9(%rsp), %rax
	mov %rax, %gs:T_TAIL_ARG+40
	mov R_RAX(%rsp), %rax
	mov %rax, %gs:T_RESULT
	mov R_RIP(%rsp), %rax
	mov %rax, %gs:T_RETURN
	mov %gs:T_SELF, %rsi
	lea T_MASK(%rsi), %rsi
	mov $2, %edi /* SIG_SETMASK */
	mov $8, %r10d
	mov R_R8(%rsp), %r8
	mov R_R9(%rsp), %r9
	mov R_FLAGS(%rsp), %rax
	add $0x7f, %al
	sahf
	mov $0, %edx
	mov $__NR_rt_sigprocmask, %eax
	mov R_RSP(%rsp), %rsp
LABEL hp_unblock_on_app_stack
	syscall
LABEL hp_unblock_done
	mov %gs:T_TAIL_ARG, %rdi
	mov %gs:T_TAIL_ARG+8, %rsi
	mov %gs:T_TAIL_ARG+16, %rdx
	mov %gs:T_TAIL_ARG+24, %r10
	mov %gs:T_RESULT, %rax
LABEL hp_unblock_jump
	jmp *%gs:T_EXIT

/* long hp_syscall_interruptible(nr, a, b, c, d, e, f) */
FUNCTION hp_syscall_interruptible
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov %r9, %r8
	mov 8(%rsp), %r9
LABEL hp_interruptible_begin
	cmpl $0, %gs:T_DEFERRED
	jne hp_interruptible_restart
LABEL hp_interruptible_syscall
	syscall
	ret
LABEL hp_interruptible_restart
	movabs $-0x7fffffffffff0003, %rax /* HP_RESTART */
	ret

/* long hp_clone_raw(nr, arg, child, frame) */
FUNCTION hp_clone_raw
	push %r12
	push %r13
	mov %rdx, %r12
	mov %rcx, %r13
	mov %rdi, %rax
	mov %rsi, %r11
	mov (%r11), %rdi
	mov 8(%r11), %rsi
	mov 16(%r11), %rdx
	mov 24(%r11), %r10
	mov 32(%r11), %r8
	syscall
	test %rax, %rax
	jz 1f
	pop %r13
	pop %r12
	ret
1:	/* the child, everything blocked: first of all away from a stack that may be its parent's */
	mov %r13, %rsp
	mov %r12, %rdi
	mov %r13, %rsi
	call hp_child_start
	jmp hp_leave_unblocking

/* void hp_exit_released(thread, code, nr): the block may get a new owner between
 * the store and the call, so no stack after it. */
FUNCTION hp_exit_released
	mov %rdx, %rax
	movl $0, T_OWNER(%rdi)
	mov %rsi, %rdi
	syscall
	ud2

	.section .note.GNU-stack, "", @progbits
