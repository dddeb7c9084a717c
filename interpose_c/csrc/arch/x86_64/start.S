/* Into the loader, and from it into the program. */
	.text
	.globl _start
	.type _start, @function
_start:
	xor %ebp, %ebp
	mov %rsp, %rdi
	and $-16, %rsp
	call hp_start
	ud2

/* void hp_enter_program(entry, stack): registers as the kernel gives them */
	.globl hp_enter_program
	.hidden hp_enter_program
	.type hp_enter_program, @function
hp_enter_program:
	mov %rsi, %rsp
	mov %rdi, %r11
	xor %eax, %eax
	xor %ebx, %ebx
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %ebp, %ebp
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r12d, %r12d
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d
	jmp *%r11

	.section .note.GNU-stack, "", @progbits
