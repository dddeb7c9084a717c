/* Seccomp filters that programs of the job set for themselves, kept and run here.
 *
 * Owns: the kernel's rules for what a filter may be, and its meaning. No system
 * call, no pointer of the job's: the code was copied and is checked before it is
 * run, it can neither loop nor reach outside of its own 16 words.
 */
#include "tracer.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define PATH_MOST 32768u /* instructions on one path, as the kernel counts: 4 more for each filter */

struct hp_rules {
	struct hp_rules *older;
	unsigned held, path;
	bool strict;
	size_t length;
	struct sock_filter code[];
};

static unsigned alive;

bool hp_rules_exist(void)
{
	return alive != 0;
}

static bool known(const struct sock_filter *at)
{
	switch (at->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return at->k < sizeof(struct seccomp_data) && at->k % 4 == 0;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_ALU | BPF_NEG:
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X:
	case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_JMP | BPF_JA:
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return true;
	case BPF_ALU | BPF_DIV | BPF_K:
		return at->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return at->k < 32;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return at->k < BPF_MEMWORDS;
	default:
		return false;
	}
}

/* No word of the 16 is read on any path before it is written. */
static bool writes_before_reading(const struct sock_filter *code, size_t length)
{
	static uint16_t written_at[BPF_MAXINSNS];
	uint16_t written = 0;
	memset(written_at, 0xff, sizeof written_at);
	for (size_t at = 0; at < length; at++) {
		const struct sock_filter *now = &code[at];
		written &= written_at[at];
		if (now->code == BPF_ST || now->code == BPF_STX) {
			written |= (uint16_t)(1u << now->k);
		} else if (now->code == (BPF_LD | BPF_MEM) || now->code == (BPF_LDX | BPF_MEM)) {
			if (!(written & 1u << now->k))
				return false;
		} else if (now->code == (BPF_JMP | BPF_JA)) {
			written_at[at + 1 + now->k] &= written;
			written = 0xffff;
		} else if (BPF_CLASS(now->code) == BPF_JMP) {
			written_at[at + 1 + now->jt] &= written;
			written_at[at + 1 + now->jf] &= written;
			written = 0xffff;
		}
	}
	return true;
}

/* Jumps lead forward only and inside; the last instruction is an answer. */
static bool sound(const struct sock_filter *code, size_t length)
{
	if (length == 0 || length > BPF_MAXINSNS)
		return false;
	for (size_t at = 0; at < length; at++) {
		size_t left = length - at - 1;
		if (!known(&code[at]))
			return false;
		if (BPF_CLASS(code[at].code) != BPF_JMP)
			continue;
		if (BPF_OP(code[at].code) == BPF_JA ? code[at].k >= left : code[at].jt >= left || code[at].jf >= left)
			return false;
	}
	return BPF_CLASS(code[length - 1].code) == BPF_RET && writes_before_reading(code, length);
}

static struct hp_rules *add(struct hp_rules *older, const struct sock_filter *code, size_t length)
{
	unsigned path = (older ? older->path : 0) + (unsigned)length + 4;
	struct hp_rules *rules = path > PATH_MOST ? NULL : malloc(sizeof *rules + length * sizeof *code);
	if (rules == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	*rules = (struct hp_rules){ .older = hp_rules_hold(older), .held = 1, .path = path, .length = length };
	alive++;
	if (length)
		memcpy(rules->code, code, length * sizeof *code);
	return rules;
}

struct hp_rules *hp_rules_add(struct hp_rules *older, const struct sock_filter *code, size_t length)
{
	if (!sound(code, length)) {
		errno = EINVAL;
		return NULL;
	}
	return add(older, code, length);
}

struct hp_rules *hp_rules_add_strict(struct hp_rules *older)
{
	struct hp_rules *rules = add(older, NULL, 0);
	if (rules != NULL)
		rules->strict = true;
	return rules;
}

struct hp_rules *hp_rules_hold(struct hp_rules *rules)
{
	if (rules != NULL)
		rules->held++;
	return rules;
}

void hp_rules_release(struct hp_rules *rules)
{
	while (rules != NULL && --rules->held == 0) {
		struct hp_rules *older = rules->older;
		free(rules);
		alive--;
		rules = older;
	}
}

static uint32_t compute(uint16_t operation, uint32_t a, uint32_t b)
{
	switch (operation) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & 31);
	case BPF_RSH:
		return a >> (b & 31);
	default:
		return -a;
	}
}

static bool holds(uint16_t operation, uint32_t a, uint32_t b)
{
	switch (operation) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default:
		return a & b;
	}
}

static uint32_t load(const struct sock_filter *at, const uint32_t *memory, const struct seccomp_data *call)
{
	uint32_t word;
	switch (BPF_MODE(at->code)) {
	case BPF_ABS:
		memcpy(&word, (const char *)call + at->k, sizeof word);
		return word;
	case BPF_LEN:
		return sizeof *call;
	case BPF_MEM:
		return memory[at->k];
	default:
		return at->k;
	}
}

static uint32_t run(const struct hp_rules *rules, const struct seccomp_data *call)
{
	uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = { 0 };
	for (const struct sock_filter *at = rules->code; at < rules->code + rules->length; at++) {
		uint32_t operand = BPF_SRC(at->code) == BPF_X ? x : at->k;
		switch (BPF_CLASS(at->code)) {
		case BPF_LD:
			a = load(at, memory, call);
			break;
		case BPF_LDX:
			x = load(at, memory, call);
			break;
		case BPF_ST:
			memory[at->k] = a;
			break;
		case BPF_STX:
			memory[at->k] = x;
			break;
		case BPF_ALU:
			if (BPF_OP(at->code) == BPF_DIV && operand == 0)
				return 0;
			a = compute(BPF_OP(at->code), a, operand);
			break;
		case BPF_JMP:
			if (BPF_OP(at->code) == BPF_JA)
				at += at->k;
			else
				at += holds(BPF_OP(at->code), a, operand) ? at->jt : at->jf;
			break;
		case BPF_MISC:
			if (BPF_MISCOP(at->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		default:
			return BPF_RVAL(at->code) == BPF_A ? a : at->k;
		}
	}
	return SECCOMP_RET_KILL_THREAD;
}

static uint32_t strictly(const struct seccomp_data *call)
{
	bool one_of_four =
		call->nr == SYS_read || call->nr == SYS_write || call->nr == SYS_exit || call->nr == SYS_rt_sigreturn;
	return one_of_four && call->arch == AUDIT_ARCH_X86_64 ? SECCOMP_RET_ALLOW : HP_STRICT_KILLS;
}

/* An action that the kernel does not know kills. */
static uint32_t understood(uint32_t said)
{
	switch (said & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return said;
	default:
		return SECCOMP_RET_KILL_PROCESS;
	}
}

uint32_t hp_rules_judge(const struct hp_rules *rules, const struct seccomp_data *call)
{
	uint32_t verdict = SECCOMP_RET_ALLOW;
	for (; rules != NULL; rules = rules->older) {
		uint32_t said = rules->strict ? strictly(call) : understood(run(rules, call));
		/* The gravest is the smallest, as signed numbers; of equals the newest. */
		if ((int32_t)(said & SECCOMP_RET_ACTION_FULL) < (int32_t)(verdict & SECCOMP_RET_ACTION_FULL))
			verdict = said;
	}
	return verdict;
}
