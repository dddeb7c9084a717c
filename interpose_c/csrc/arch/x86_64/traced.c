/* Being traced: the same core, reached through a stop instead of a signal.
 *
 * A seccomp filter stops each call of the table that has a handler, unless it is
 * made in the shim's text. The tracer points the stopped thread at hp_entry_traced
 * and lets it go: from there on all is as it is in process. The thread block is in
 * %gs only while the shim runs; otherwise %gs is the program's.
 *
 * Owns: the filter, asking for the tracer, taking over a running process. Leaves
 * to others: the stop itself (keeper/tracer.c), the way out (entry.S, deliver.c).
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/un.h>

#include "hpool/tracer.h"
#include "signals.h"

#define SOCK_SEQPACKET 5
#define SOCK_CLOEXEC 02000000
#define HWCAP2_FSGSBASE 2
#define ROOM 640
#define FIX_ME 0xffffffffu

bool hp_traced, hp_gs_free;
enum hp_front_mode hp_front_mode;

/* ---- the filter ---------------------------------------------------------------- */

/* What happens to a run of numbers. The last two: as IF_OUTSIDE, but only when an
 * argument, the second or the fifth, is not NULL. */
enum fate { LET_GO, IF_OUTSIDE, STOP, IF_SECOND, IF_FIFTH };

struct run {
	unsigned first;
	enum fate fate;
};

struct program {
	struct sock_filter code[ROOM];
	struct run runs[ROOM / 2];
	unsigned length, count;
};

static void emit(struct program *to, unsigned code, uint32_t k, unsigned if_true, unsigned if_false)
{
	to->code[to->length++] = (struct sock_filter){ (uint16_t)code, (uint8_t)if_true, (uint8_t)if_false, k };
}

static void answer(struct program *to, uint32_t action)
{
	emit(to, BPF_RET | BPF_K, action, 0, 0);
}

static enum fate fate_of(unsigned number, bool everything)
{
	if (number == HP_TRACE_CALL)
		return STOP;
	if (everything)
		return IF_OUTSIDE;
	/* without an address their handlers have nothing to do, and most of them have none */
	if (number == __NR_accept || number == __NR_accept4)
		return IF_SECOND;
	if (number == __NR_recvfrom || number == __NR_sendto)
		return IF_FIFTH;
	return number < hp_handler_count && hp_handlers[number] ? IF_OUTSIDE : LET_GO;
}

static void find_runs(struct program *to, bool everything)
{
	for (unsigned number = 0; number <= hp_handler_count; number++) {
		enum fate fate = fate_of(number, everything);

		if (to->count == 0 || to->runs[to->count - 1].fate != fate)
			to->runs[to->count++] = (struct run){ number, fate };
	}
}

static void emit_unless_null(struct program *to, unsigned argument)
{
	unsigned low = offsetof(struct seccomp_data, args) + argument * 8;

	emit(to, BPF_LD | BPF_W | BPF_ABS, low, 0, 0);
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
	emit(to, BPF_LD | BPF_W | BPF_ABS, low + 4, 0, 0);
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	emit(to, BPF_JMP | BPF_JA, FIX_ME, 0, 0);
	answer(to, SECCOMP_RET_ALLOW);
}

/* A search tree: calls that pass are decided by number alone, so that the kernel
 * remembers them in a bitmap and runs no filter at all for them. */
static void emit_tree(struct program *to, unsigned low, unsigned high)
{
	unsigned middle = (low + high + 1) / 2, branch = to->length;

	if (low == high) {
		if (to->runs[low].fate == IF_SECOND || to->runs[low].fate == IF_FIFTH)
			emit_unless_null(to, to->runs[low].fate == IF_SECOND ? 1 : 4);
		else if (to->runs[low].fate == IF_OUTSIDE)
			emit(to, BPF_JMP | BPF_JA, FIX_ME, 0, 0);
		else
			answer(to, to->runs[low].fate == STOP ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW);
		return;
	}
	emit(to, BPF_JMP | BPF_JGE | BPF_K, to->runs[middle].first, 0, 0);
	emit_tree(to, low, middle - 1);
	to->code[branch].jt = (uint8_t)(to->length - branch - 1);
	emit_tree(to, middle, high);
}

static void emit_outside(struct program *to)
{
	unsigned here = to->length, ip = offsetof(struct seccomp_data, instruction_pointer);

	for (unsigned i = 0; i < here; i++)
		if (to->code[i].k == FIX_ME && BPF_CLASS(to->code[i].code) == BPF_JMP)
			to->code[i].k = here - i - 1;
	emit(to, BPF_LD | BPF_W | BPF_ABS, ip + 4, 0, 0);
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(HP_TEXT_BASE >> 32), 0, 4);
	emit(to, BPF_LD | BPF_W | BPF_ABS, ip, 0, 0);
	emit(to, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(unsigned long)hp_text_start, 0, 2);
	emit(to, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)(unsigned long)hp_text_end, 1, 0);
	answer(to, SECCOMP_RET_ALLOW);
	answer(to, SECCOMP_RET_TRACE);
}

/* For this task, or with SECCOMP_FILTER_FLAG_TSYNC for all of the process. */
static long filter_install(bool everything, long flags)
{
	struct program program = { .length = 0 };
	struct {
		uint16_t length;
		struct sock_filter *code;
	} what;

	emit(&program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	emit(&program, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	answer(&program, SECCOMP_RET_ALLOW); /* int $0x80: the jail answers that */
	emit(&program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	find_runs(&program, everything);
	emit_tree(&program, 0, program.count - 1);
	emit_outside(&program);
	what.length = (uint16_t)program.length;
	what.code = program.code;
	return hp_syscall3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW, (long)&what);
}

long hp_trace_everything(long flags)
{
	return filter_install(true, flags);
}

/* ---- words with the tracer ------------------------------------------------------ */

long hp_trace_call(enum hp_trace_op op, long a, long b, long c, long d)
{
	return hp_syscall5(HP_TRACE_CALL, op, a, b, c, d);
}

static long be_here(struct hp_thread *thread)
{
	return hp_trace_call(HP_TRACE_HERE, (long)hp_text_start, (long)hp_text_end, (long)hp_entry_traced,
			     (long)thread);
}

void hp_trace_begin_task(struct hp_thread *thread)
{
	thread->traced = hp_traced;
	thread->exit = (unsigned long)(hp_traced ? hp_exit_traced : hp_exit_plain);
	if (hp_traced)
		be_here(thread);
}

/* Asks for the tracer; 0 when it holds this process, all its threads included. */
static long ask_for_tracer(void)
{
	static const struct sockaddr_un where = { .sun_family = 1, .sun_path = HP_TRACER_PATH };
	long socket = hp_syscall3(__NR_socket, where.sun_family, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), failed;
	bool secretive = hp_syscall5(__NR_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) != 1;
	int answer = EIO;

	if (socket < 0)
		return socket;
	failed = hp_syscall3(__NR_connect, socket, (long)&where, sizeof where) ? -ECONNREFUSED : 0;
	if (!failed) {
		if (secretive)
			hp_syscall5(__NR_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
		hp_syscall5(__NR_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
		failed = hp_syscall3(__NR_read, socket, (long)&answer, sizeof answer) == sizeof answer ? -answer : -EIO;
		hp_syscall5(__NR_prctl, PR_SET_PTRACER, 0, 0, 0, 0);
		if (secretive)
			hp_syscall5(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	hp_syscall1(__NR_close, socket);
	return failed;
}

/* ---- becoming traced -------------------------------------------------------------- */

void hp_trace_features(unsigned long hwcap2)
{
	hp_gs_free = hwcap2 & HWCAP2_FSGSBASE;
}

static void be_traced(void)
{
	hp_traced = true;
	hp_threads_traced();
	hp_dispatch_over();
}

long hp_trace_start(void)
{
	long failed = hp_gs_free ? ask_for_tracer() : -ENODEV;

	if (!failed)
		failed = filter_install(false, 0);
	if (!failed) {
		be_traced();
		be_here(hp_thread());
	}
	return failed;
}

/* A child that was forked while its parent was taken over has a tracer already. */
static long find_tracer(struct hp_thread *self, long flags)
{
	long failed = ask_for_tracer();

	if (failed && failed != -EPERM)
		return failed;
	if (filter_install(false, flags))
		return -EPERM;
	return be_here(self) ? -EPERM : 0;
}

/* Every other thread is stopped somewhere, in the shim or outside; %gs leads to its block,
 * and may until it stops again. */
static long convert(void)
{
	long failed = hp_trace_call(HP_TRACE_HOLD, 0, 0, 0, 0);

	if (failed)
		return failed;
	hp_rewrite_undo();
	hp_relinked_shut();
	be_traced();
	return hp_trace_call(HP_TRACE_TAKE, 0, 0, 0, 0);
}

/* With everything blocked, one thread at a time. After success nobody rewrites any more. */
static long take_over(void)
{
	long failed;

	if (hp_traced)
		return 0;
	hp_rewrite_pause();
	failed = find_tracer(hp_thread(), hp_alone() ? 0 : SECCOMP_FILTER_FLAG_TSYNC);
	if (!failed)
		failed = convert();
	if (failed)
		hp_rewrite_after_fork();
	return failed;
}

static uint32_t taking;

void hp_trace_after_fork(void)
{
	taking = 0;
}

long hp_take_over(void)
{
	uint64_t mask;
	long failed;

	if (hp_traced)
		return 0;
	if (hp_front_mode != HP_MODE_AUTO || !hp_gs_free || hp_in_vfork_child() || hp_shares_memory())
		return -EPERM;
	hp_gate_pass(); /* a tracer is not made to wait for memory, it is told an error */
	if (hp_signals_block(&mask))
		return HP_AGAIN;
	hp_lock(&taking);
	failed = take_over();
	hp_unlock(&taking);
	hp_signals_restore(mask);
	return failed;
}
