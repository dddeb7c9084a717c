/* Where the kernel enters the shim for a signal. deliver.c and dispatch.c say
 * what happens; here is only what C cannot do. */
#include <asm/unistd.h>

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

/* Returns from every handler. In the shim's text, so it is not dispatched; the
 * bytes are __restore_rt's, by which unwinders know a signal frame. */
	.p2align 4
	nop
FUNCTION hp_restorer
	mov $__NR_rt_sigreturn, %rax
	syscall

/* All signals of the program's arrive here with everything blocked. */
FUNCTION hp_signal_entry
	push %rdi
	push %rsi
	push %rdx
	sub $16, %rsp
	mov %rsp, %rcx
	call hp_signal_prepare /* (sig, info, context, &mask): the program's handler or NULL */
	test %rax, %rax
	jz 1f
	mov %rax, 8(%rsp)
	mov $2, %edi
	mov %rsp, %rsi
	xor %edx, %edx
	mov $8, %r10d
	mov $__NR_rt_sigprocmask, %eax
	syscall
/* From here on other signals may run; nothing below needs the thread block. */
LABEL hp_signal_unblocked
	mov 8(%rsp), %r11
	add $16, %rsp
	pop %rdx
	pop %rsi
	pop %rdi
	xor %eax, %eax
	jmp *%r11 /* returns to the restorer that the kernel put on the stack */
1:	add $40, %rsp
	ret
LABEL hp_signal_end

FUNCTION hp_sigsys_entry
	push %rdi
	push %rsi
	push %rdx
	call hp_sigsys /* true: not ours, a signal like any other */
	pop %rdx
	pop %rsi
	pop %rdi
	test %al, %al
	jnz hp_signal_entry
	ret

	.section .note.GNU-stack, "", @progbits
