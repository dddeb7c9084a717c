/* memcpy and friends for text without libc, and copies from and to the
 * program's memory. A fault inside [hp_user_begin, hp_user_end) resumes at
 * hp_user_fault (deliver.c): these functions leave the stack alone for that. */
	.text
	.macro FUNCTION name
	.globl \name
	.hidden \name
	.type \name, @function
	.p2align 4
\name:
	.endm

FUNCTION memcpy
	mov %rdi, %rax
	mov %rdx, %rcx
	rep movsb
	ret

FUNCTION memset
	mov %rdi, %r8
	mov %esi, %eax
	mov %rdx, %rcx
	rep stosb
	mov %r8, %rax
	ret

FUNCTION memmove
	mov %rdi, %rax
	mov %rdi, %r8
	sub %rsi, %r8
	mov %rdx, %rcx
	cmp %rdx, %r8
	jb 1f
	rep movsb
	ret
1:	lea -1(%rdi,%rdx), %rdi
	lea -1(%rsi,%rdx), %rsi
	std
	rep movsb
	cld
	ret

FUNCTION memcmp
	xor %eax, %eax
	mov %rdx, %rcx
	cmp %rcx, %rcx
	repe cmpsb
	je 1f
	movzbl -1(%rdi), %eax
	movzbl -1(%rsi), %ecx
	sub %ecx, %eax
1:	ret

	.globl hp_user_begin, hp_user_end, hp_user_fault
	.hidden hp_user_begin, hp_user_end, hp_user_fault
hp_user_begin:
FUNCTION hp_user_read
FUNCTION hp_user_write
	mov %rdx, %rcx
	rep movsb
	xor %eax, %eax
	ret

FUNCTION hp_user_text
	xor %eax, %eax
1:	cmp %rdx, %rax
	jae 2f
	movzbl (%rsi,%rax), %ecx
	mov %cl, (%rdi,%rax)
	test %cl, %cl
	jz 3f
	inc %rax
	jmp 1b
2:	mov $-36, %rax /* ENAMETOOLONG */
3:	ret
hp_user_end:
hp_user_fault:
	mov $-14, %rax /* EFAULT */
	ret

	.section .note.GNU-stack, "", @progbits
