/* A system call changes rax, rcx and r11 and nothing else, at slow and at rewritten sites, whether it is
 * passed on (getppid) or handled (rt_sigprocmask). */
#include "tell.h"

struct state {
	unsigned long gpr[16]; /* rbx rbp r12 r13 r14 r15 rdi rsi rdx r10 r8 r9, flags, result */
};

#define CALLER(name, load) \
	void name(struct state *in, struct state *out, long nr); \
	__asm__(".globl " #name "\n" #name ":\n" \
		"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n" \
		"push %rsi; push %rdx\n" \
		"movq $0x1234567, -8(%rsp); movq $0x7654321, -128(%rsp)\n" /* the red zone */ \
		"mov %rdi, %r11; mov %rdx, %rax\n" \
		"mov (%r11), %rbx; mov 8(%r11), %rbp; mov 16(%r11), %r12; mov 24(%r11), %r13; mov 32(%r11), %r14\n" \
		"mov 40(%r11), %r15; mov 48(%r11), %rdi; mov 56(%r11), %rsi; mov 64(%r11), %rdx; mov 72(%r11), %r10\n" \
		"mov 80(%r11), %r8; mov 88(%r11), %r9\n" \
		"stc\n" load "\n" \
		"mov 8(%rsp), %r11\n" \
		"mov %rbx, (%r11); mov %rbp, 8(%r11); mov %r12, 16(%r11); mov %r13, 24(%r11); mov %r14, 32(%r11)\n" \
		"mov %r15, 40(%r11); mov %rdi, 48(%r11); mov %rsi, 56(%r11); mov %rdx, 64(%r11); mov %r10, 72(%r11)\n" \
		"mov %r8, 80(%r11); mov %r9, 88(%r11); mov %rax, 104(%r11)\n" \
		"setc %al; movzbl %al, %eax; mov %rax, 96(%r11)\n" \
		"mov -8(%rsp), %rax; mov %rax, 112(%r11); mov -128(%rsp), %rax; mov %rax, 120(%r11)\n" \
		"pop %rdx; pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n")

CALLER(call_getppid, "mov $110, %eax; syscall");
CALLER(call_mask, "mov $14, %eax; syscall");
CALLER(call_any, "syscall");

static void try(const char *what, void (*call)(struct state *, struct state *, long), long nr)
{
	for (int round = 0; round < 6; round++) {
		static unsigned long old;
		struct state in, out = { { 0 } };
		int wrong = 0;

		for (int i = 0; i < 16; i++)
			in.gpr[i] = 0x0101010101010101ul * (unsigned long)(i + 1 + round);
		if (nr == SYS_rt_sigprocmask) {
			in.gpr[6] = 0;
			in.gpr[7] = 0;
			in.gpr[8] = (unsigned long)&old;
			in.gpr[9] = 8;
		}
		call(&in, &out, nr);
		for (int i = 0; i < 12; i++)
			wrong += in.gpr[i] != out.gpr[i];
		printf("%s round %d: %d wrong, carry %lu, red zone %lx %lx, %s\n", what, round, wrong, out.gpr[12],
		       out.gpr[14], out.gpr[15],
		       nr == SYS_getppid ? (out.gpr[13] == (unsigned long)getppid() ? "right" : "WRONG") : "");
	}
}

int main(void)
{
	try("getppid", call_getppid, SYS_getppid);
	try("rt_sigprocmask", call_mask, SYS_rt_sigprocmask);
	try("any getppid", call_any, SYS_getppid);
	try("any rt_sigprocmask", call_any, SYS_rt_sigprocmask);
	TELL(syscall(470));
	TELL(syscall(-1));
	TELL(syscall(100000));
	TELL(syscall(SYS_getppid | 0x40000000));
	return 0;
}
