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
LABEL hp_restorer_call
	syscall

/* All signals of the program's arrive here with everything blocked; rsp is the
 * kernel's frame. Registers are free: what was interrupted is in the frame. */
FUNCTION hp_signal_entry
	mov %rsp, %rsi
	mov %edi, %ebx
	sub $24, %rsp /* struct hp_signal_call */
	mov %rsp, %rdx
	call hp_signal_prepare /* (sig, frame, call): false, go back at once */
	test %al, %al
	jz 1f
	mov (%rsp), %rcx
	mov 8(%rsp), %rbp
	mov 16(%rsp), %r12
	mov %r12, %rsp /* the frame, perhaps moved */
	push %rcx
	mov $2, %edi /* SIG_SETMASK */
	mov %rsp, %rsi
	xor %edx, %edx
	mov $8, %r10d
	mov $__NR_rt_sigprocmask, %eax
	syscall
/* From here on other signals may run; nothing below needs the thread block. */
LABEL hp_signal_unblocked
	mov %r12, %rsp
	mov %ebx, %edi
	lea 312(%rsp), %rsi /* the info */
	lea 8(%rsp), %rdx   /* the context */
	xor %eax, %eax
	jmp *%rbp /* returns to the restorer at the frame's begin */
1:	add $24, %rsp
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
