# A 32-bit program: what a 64-bit machine without its libraries can still run.
.code32
.globl _start
_start:
	movl $1, %eax
	movl $3, %ebx
	int $0x80
