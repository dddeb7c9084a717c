/* The keeper's filters against the kernel's: the same programs are accepted, and say the same.
 * Usage: rules_judge SEED COUNT. Prints what differs, then "accepted N of COUNT". */
#include "../../../interpose_c/csrc/keeper/rules.c"

#include <linux/audit.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SUBJECT 400 /* a number that no call has */
#define BODY 12

static uint64_t state;

static uint32_t any(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33);
}

static const uint16_t codes[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LD | BPF_IMM,
	BPF_LDX | BPF_IMM,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
	BPF_RET | BPF_K,
	BPF_ALU | BPF_NEG,
	BPF_ALU | BPF_ADD | BPF_K,
	BPF_ALU | BPF_ADD | BPF_X,
	BPF_ALU | BPF_SUB | BPF_K,
	BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_MUL | BPF_K,
	BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K,
	BPF_ALU | BPF_DIV | BPF_X,
	BPF_ALU | BPF_AND | BPF_K,
	BPF_ALU | BPF_AND | BPF_X,
	BPF_ALU | BPF_OR | BPF_K,
	BPF_ALU | BPF_OR | BPF_X,
	BPF_ALU | BPF_XOR | BPF_K,
	BPF_ALU | BPF_XOR | BPF_X,
	BPF_ALU | BPF_LSH | BPF_K,
	BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_K,
	BPF_ALU | BPF_RSH | BPF_X,
	BPF_JMP | BPF_JA,
	BPF_JMP | BPF_JEQ | BPF_K,
	BPF_JMP | BPF_JEQ | BPF_X,
	BPF_JMP | BPF_JGT | BPF_K,
	BPF_JMP | BPF_JGT | BPF_X,
	BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JGE | BPF_X,
	BPF_JMP | BPF_JSET | BPF_K,
	BPF_JMP | BPF_JSET | BPF_X,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_MEM,
	BPF_ST,
	BPF_STX,
	/* these are not for seccomp */
	BPF_LD | BPF_B | BPF_ABS,
	BPF_LD | BPF_W | BPF_IND,
	BPF_ALU | BPF_MOD | BPF_K,
	BPF_RET | BPF_X,
};

/* Once in a while something that is not allowed; an answer is an errno, or leave. */
static struct sock_filter instruction(unsigned left)
{
	struct sock_filter made = { codes[any() % (sizeof codes / sizeof *codes - (any() % 40 ? 4 : 0))], 0, 0, any() };
	unsigned odd = any() % 60 == 0;
	if (BPF_CLASS(made.code) == BPF_JMP) {
		made.jt = (uint8_t)(any() % (left + odd));
		made.jf = (uint8_t)(any() % (left + odd));
		if (BPF_OP(made.code) == BPF_JA)
			made.k = any() % (left + odd);
	}
	if (made.code == (BPF_LD | BPF_W | BPF_ABS))
		made.k = 16 + any() % (12 + odd) * 4 + odd; /* not where the call is made: that differs */
	if (BPF_CLASS(made.code) == BPF_ST || BPF_CLASS(made.code) == BPF_STX || BPF_MODE(made.code) == BPF_MEM)
		made.k = any() % (4 + 16 * odd);
	if (made.code == (BPF_ALU | BPF_LSH | BPF_K) || made.code == (BPF_ALU | BPF_RSH | BPF_K))
		made.k = any() % (32 + odd);
	if (made.code == (BPF_RET | BPF_K))
		made.k = SECCOMP_RET_ERRNO | made.k % 4096;
	return made;
}

static unsigned make(struct sock_filter *code)
{
	unsigned at = 0;
	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SUBJECT, 1, 0);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]));
	code[at++] = (struct sock_filter)BPF_STMT(BPF_ST, 1);
	for (unsigned left = BODY; left > 0; left--)
		code[at++] = instruction(left);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	return at;
}

struct answer {
	int accepted;
	long result; /* errno of the call */
};

static void ask_kernel(const struct sock_filter *code, unsigned length, const uint32_t *args, int to)
{
	struct {
		uint16_t length;
		const struct sock_filter *code;
	} program = { (uint16_t)length, code };
	struct answer answer = { 0, 0 };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	answer.accepted = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
	errno = 0;
	if (answer.accepted)
		answer.result = syscall(SUBJECT, args[0], args[1], args[2], args[3], args[4], args[5]) ? errno : 0;
	if (write(to, &answer, sizeof answer) != sizeof answer)
		_exit(1);
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned accepted = 0, count = argc > 2 ? (unsigned)atoi(argv[2]) : 100;
	state = argc > 1 ? (uint64_t)atoi(argv[1]) : 1;
	for (unsigned n = 0; n < count; n++) {
		struct sock_filter code[BODY + 16];
		struct answer kernel = { -1, 0 };
		uint32_t args[6];
		int ends[2];
		unsigned length = make(code);
		for (int i = 0; i < 6; i++)
			args[i] = any() % 3 ? any() : any() % 5;
		if (pipe(ends))
			return 1;
		pid_t child = fork();
		if (child == 0)
			ask_kernel(code, length, args, ends[1]);
		close(ends[1]);
		int ended = 1;
		bool answered = read(ends[0], &kernel, sizeof kernel) == sizeof kernel;
		close(ends[0]);
		waitpid(child, &ended, 0);
		struct hp_rules *rules = hp_rules_add(NULL, code, length);
		struct seccomp_data call = { .nr = SUBJECT, .arch = AUDIT_ARCH_X86_64 };
		for (int i = 0; i < 6; i++)
			call.args[i] = args[i];
		uint32_t ours = rules ? hp_rules_judge(rules, &call) : 0;
		long data = ours & SECCOMP_RET_DATA;
		uint32_t action = ours & SECCOMP_RET_ACTION_FULL;
		bool kills = rules && (action == SECCOMP_RET_KILL_THREAD || action == SECCOMP_RET_KILL_PROCESS);
		if (answered ? kernel.accepted != (rules != NULL) ||
				       (rules && (kills || kernel.result != (data > 4095 ? 4095 : data))) :
			       !kills)
			printf("%u: kernel %d %ld (%s), ours %d %x\n", n, kernel.accepted, kernel.result,
			       answered ? "alive" : "killed", rules != NULL, ours);
		accepted += rules != NULL;
		hp_rules_release(rules);
	}
	if (hp_rules_exist())
		puts("some were kept");
	printf("accepted %u of %u\n", accepted, count);
	return 0;
}
