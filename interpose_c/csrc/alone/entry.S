/* The program's first instructions, once it is post-linked; and what C cannot say. */
	.section .text.hpool_first, "ax", @progbits
	.globl hp_alone_begin, hp_alone_entry, hp_alone_call, hp_alone_mark, hp_alone_jump, hp_alone_on
	.globl hp_alone_thread, hp_alone_restorer
	.hidden hp_alone_begin, hp_alone_entry, hp_alone_call, hp_alone_mark, hp_alone_jump, hp_alone_on
	.hidden hp_alone_thread, hp_alone_restorer, hp_alone_start, hp_alone_note
	.p2align 6
hp_alone_begin:

/* rdx is the loader's (a function for atexit): it goes on to the program, as all registers do that the ABI names. */
hp_alone_entry:
	mov %rsp, %rdi
	push %rdx
	push %rbp
	mov %rsp, %rbp
	and $-16, %rsp
	call hp_alone_start	/* the new stack pointer: the options are gone from argv */
	mov %rbp, %rsp
	pop %rbp
	pop %rdx
	mov %rax, %rsp
	lea hp_alone_note(%rip), %rax
	add 16(%rax), %rax	/* struct hp_alone_note: original */
	xor %ecx, %ecx
	jmp *%rax

/* Not arch's hp_syscall: it stands in a text of its own, without a thread's block behind %gs and its labels. */
hp_alone_call:
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov %r9, %r8
	mov 8(%rsp), %r9
	syscall
	ret

hp_alone_mark:
	mov %rbx, (%rdi)
	mov %rbp, 8(%rdi)
	mov %r12, 16(%rdi)
	mov %r13, 24(%rdi)
	mov %r14, 32(%rdi)
	mov %r15, 40(%rdi)
	lea 8(%rsp), %rax
	mov %rax, 48(%rdi)
	mov (%rsp), %rax
	mov %rax, 56(%rdi)
	xor %eax, %eax
	ret

hp_alone_jump:
	mov (%rdi), %rbx
	mov 8(%rdi), %rbp
	mov 16(%rdi), %r12
	mov 24(%rdi), %r13
	mov 32(%rdi), %r14
	mov 40(%rdi), %r15
	mov 48(%rdi), %rsp
	mov $1, %eax
	jmp *56(%rdi)

hp_alone_on:
	mov %rdx, %rsp
	xor %ebp, %ebp
	call *%rsi
	hlt

hp_alone_thread:
	mov %rdx, %r8
	mov %rcx, %r9
	mov $435, %eax		/* clone3 */
	syscall
	test %rax, %rax
	jz 1f
	ret
1:	xor %ebp, %ebp
	mov %r9, %rdi
	call *%r8
	hlt

	.p2align 4
hp_alone_restorer:
	mov $15, %eax		/* rt_sigreturn */
	syscall

	.section .text.hpool_last, "ax", @progbits
	.globl hp_alone_end
	.hidden hp_alone_end
hp_alone_end:
	nop

	.section .note.GNU-stack, "", @progbits
