/* CPUID as on an older processor (--cpu-level), so that a job's image fits more machines.
 *
 * The kernel lets the instruction fault (ARCH_SET_CPUID, per thread, inherited by fork and clone, undone
 * by exec); here it is made after all, and its answer cut down to a level of x86-64's ABI. Instructions
 * that no level has (AES, SHA, ...) are hidden by each. XGETBV does not fault and shows the machine's own
 * XCR0. Owns: the masks. Leaves to others: the fault (deliver.c), when it begins (front/start.c).
 */
#include "signals.h"

#define ARCH_SET_CPUID 0x1012
#define BIT(n) (1u << (n))

enum { A, B, C, D, WORDS };

struct hp_iovec {
	unsigned long base, length;
};

/* Of leaf 1 ECX: pni ssse3 cx16 sse4_1 sse4_2 popcnt; fma movbe xsave osxsave avx f16c. The hypervisor shows. */
#define V1_1C BIT(31)
#define V2_1C (V1_1C | BIT(0) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(23))
#define V3_1C (V2_1C | BIT(12) | BIT(22) | BIT(26) | BIT(27) | BIT(28) | BIT(29))
/* Of leaf 7 EBX: bmi1 avx2 bmi2; avx512 f dq cd bw vl. */
#define V3_7B (BIT(3) | BIT(5) | BIT(8))
#define V4_7B (V3_7B | BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31))
/* Of leaf 0x80000001 ECX: lahf_lm; abm. */
#define V2_X1C BIT(0)
#define V3_X1C (V2_X1C | BIT(5))
#define X1D_EXTENSIONS (BIT(22) | BIT(25) | BIT(30) | BIT(31)) /* mmxext fxsr_opt 3dnowext 3dnow */

unsigned hp_cpu_level;

static const uint32_t leaf_1c[] = { ~0u, V1_1C, V2_1C, V3_1C, V3_1C };
static const uint32_t leaf_7b[] = { ~0u, 0, 0, V3_7B, V4_7B };
static const uint32_t leaf_x1c[] = { ~0u, 0, V2_X1C, V3_X1C, V3_X1C };

static void keep(uint32_t *words, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	words[A] &= a;
	words[B] &= b;
	words[C] &= c;
	words[D] &= d;
}

void hp_cpuid_cut(unsigned level, uint32_t leaf, uint32_t sub, uint32_t words[4])
{
	switch (leaf) {
	case 0x1:
		keep(words, ~0u, ~0u, leaf_1c[level], ~0u);
		return;
	case 0x7:
		keep(words, 0, sub ? 0 : leaf_7b[level], 0, 0);
		return;
	case 0xd: /* sizes stay: they follow XCR0, as XGETBV shows it. Sub-leaf 1: xsaveopt and its like */
		if (level < 3 || sub == 1)
			keep(words, 0, 0, 0, 0);
		return;
	case 0x14: /* tracing, key locker, tiles, history reset, AVX10 */
	case 0x19:
	case 0x1d:
	case 0x1e:
	case 0x20:
	case 0x24:
	case 0x80000021:
		keep(words, 0, 0, 0, 0);
		return;
	case 0x80000001:
		keep(words, ~0u, ~0u, leaf_x1c[level], ~X1D_EXTENSIONS);
		return;
	case 0x80000008: /* clzero and its like */
		keep(words, ~0u, 0, ~0u, ~0u);
		return;
	}
}

long hp_cpuid_hide(void)
{
	return hp_cpu_level ? hp_syscall2(__NR_arch_prctl, ARCH_SET_CPUID, 0) : 0;
}

/* By the kernel: where a wild jump led there may be nothing to read, and SIGSEGV is blocked. */
static bool is_cpuid(unsigned long address)
{
	uint8_t code[2] = { 0, 0 };
	struct hp_iovec local = { (unsigned long)code, sizeof code }, remote = { address, sizeof code };
	long pid = hp_syscall0(__NR_getpid);

	return hp_syscall6(__NR_process_vm_readv, pid, (long)&local, 1, (long)&remote, 1, 0) == sizeof code &&
	       code[0] == 0x0f && code[1] == 0xa2;
}

bool hp_cpuid_answer(struct sigcontext *regs)
{
	uint32_t leaf = (uint32_t)regs->rax, sub = (uint32_t)regs->rcx, words[WORDS];

	if (!hp_cpu_level || !is_cpuid(regs->rip))
		return false;
	hp_syscall2(__NR_arch_prctl, ARCH_SET_CPUID, 1);
	__asm__ volatile("cpuid"
			 : "=a"(words[A]), "=b"(words[B]), "=c"(words[C]), "=d"(words[D])
			 : "a"(leaf), "c"(sub));
	hp_syscall2(__NR_arch_prctl, ARCH_SET_CPUID, 0);
	hp_cpuid_cut(hp_cpu_level, leaf, sub, words);
	regs->rax = words[A];
	regs->rbx = words[B];
	regs->rcx = words[C];
	regs->rdx = words[D];
	regs->rip += 2;
	return true;
}
