/* Everybody stands still in the handler, the image is written, everybody goes on: here, or where the image does.
 *
 * What a thread was doing is in the frame of its signal, on its stack: registers, mask, alternate stack. Going
 * on is returning from the handler. Beside it only what the kernel knows of a thread is kept.
 */
#include "alone.h"

#include <linux/futex.h>

extern struct hp_alone *hp_alone_here __attribute__((visibility("hidden")));

#define WITHIN_NS 5000000000ll
#define RSEQ_BYTES 32
#define RSEQ_SIGNATURE 0x53053053
enum { STANDING = 1, LEAVING };

struct info {
	int32_t number, error, code, pad;
	int32_t pid;
	uint32_t uid;
	uint64_t value;
	uint64_t rest[12];
};

struct context {
	uint64_t flags, link, stack[3];
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
};

bool hp_a_refuse(struct hp_alone *alone, const char *format, const char *text, long number)
{
	alone->why[0] = 0;
	hp_a_format(alone->why, sizeof alone->why, format, text, number);
	return false;
}

static int64_t now_ns(void)
{
	int64_t now[2];
	SYS(clock_gettime, 1, now);
	return now[0] * 1000000000 + now[1];
}

static void await(uint32_t *word, uint32_t value)
{
	const int64_t moment[2] = { 0, 1000000 };
	SYS(futex, word, FUTEX_WAIT, value, moment);
}

static void set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
	SYS(futex, word, FUTEX_WAKE, 1 << 30);
}

/* Calls that end with EINTR whatever SA_RESTART says: they are made again, as if no signal had come. Their number
 * stands in front of them, or in the stub that the post-linker made of it. */
static void make_again(struct context *context)
{
	static const uint16_t calls[] = {
		7, 23, 34, 35, 128, 130, 219, 220, 230, 232, 240, 242, 243, 270, 271, 281, 441
	};
	const uint8_t *at = (const uint8_t *)context->rip - 2;
	if (context->rax != (uint64_t)-4 || at[0] != 0x0f || at[1] != 0x05)
		return;
	const uint8_t *load = at - 5;
	int32_t number;
	if (*load == 0xe9) {
		__builtin_memcpy(&number, load + 1, 4);
		load = at + number;
	}
	if (*load != 0xb8)
		return;
	__builtin_memcpy(&number, load + 1, 4);
	for (unsigned n = 0; n < sizeof calls / sizeof *calls; n++)
		if (calls[n] == number) {
			context->rax = (uint64_t)number;
			context->rip -= 2;
			return;
		}
}

/* Nobody tells where libc has registered it but the kernel, by letting it go. */
uint64_t hp_a_let_rseq_go(uint64_t fs)
{
	for (uint64_t at = (fs - 0x2000) & ~31ull; at < fs + 0x2000; at += 32)
		if (SYS(rseq, at, RSEQ_BYTES, 1, RSEQ_SIGNATURE) == 0)
			return at;
	return 0;
}

static void describe(struct hp_alone_thread *thread)
{
	thread->tid = (int32_t)SYS(gettid);
	SYS(arch_prctl, 0x1003, &thread->fs);
	SYS(arch_prctl, 0x1004, &thread->gs);
	SYS(get_robust_list, 0, &thread->robust, &thread->robust_bytes);
	SYS(prctl, 40 /* PR_GET_TID_ADDRESS */, &thread->clear_tid);
	SYS(prctl, 16 /* PR_GET_NAME */, thread->name);
	SYS(rt_sigpending, &thread->pending, 8);
	thread->rseq = hp_a_let_rseq_go(thread->fs);
}

static void go_on(const struct hp_alone_thread *thread)
{
	if (thread->rseq)
		SYS(rseq, thread->rseq, RSEQ_BYTES, 0, RSEQ_SIGNATURE);
}

static void stand(struct hp_alone *alone, struct context *context)
{
	uint32_t number = __atomic_fetch_add(&alone->count, 1, __ATOMIC_SEQ_CST);
	if (number >= HP_ALONE_THREADS)
		return;
	struct hp_alone_thread *thread = &alone->threads[number];
	make_again(context);
	describe(thread);
	if (hp_alone_mark(&thread->jump) == 0) {
		set(&thread->ready, 1);
		while (__atomic_load_n(&alone->phase, __ATOMIC_SEQ_CST) == STANDING)
			await(&alone->phase, STANDING);
	}
	go_on(thread);
	__atomic_add_fetch(&alone->left, 1, __ATOMIC_SEQ_CST);
}

/* The number by which a thread of ours is called here; /proc may be of another name space. */
static int32_t called(struct hp_alone *alone, int32_t entry, bool is_ours)
{
	char path[64];
	path[0] = 0;
	if (is_ours)
		return entry;
	hp_a_format(path, sizeof path, "/proc/self/task/%d/status", NULL, entry);
	if (hp_a_read(path, alone->text, HP_ALONE_TEXT) <= 0)
		return 0;
	for (const char *line = alone->text; *line; line++) {
		const char *at = hp_a_after(line, "\nNSpid:");
		uint64_t number = 0;
		while (at && (*at == '\t' || *at == ' '))
			at++, number = hp_a_number(&at, 10);
		if (number)
			return (int32_t)number;
	}
	return 0;
}

static struct hp_alone_thread *find(struct hp_alone *alone, int32_t tid)
{
	uint32_t count = __atomic_load_n(&alone->count, __ATOMIC_SEQ_CST) & ~HP_ALONE_CLOSED;
	for (uint32_t n = 0; n < count && n < HP_ALONE_THREADS; n++)
		if (alone->threads[n].tid == tid && __atomic_load_n(&alone->threads[n].ready, __ATOMIC_SEQ_CST))
			return &alone->threads[n];
	return NULL;
}

static void ask(struct hp_alone *alone, int32_t tid, unsigned *asked)
{
	for (unsigned n = 0; n < *asked; n++)
		if (alone->asked[n] == tid)
			return;
	struct info info = { .number = alone->signal, .code = -1, .pid = alone->pid };
	info.value = (uint64_t)alone + alone->generation;
	alone->asked[(*asked)++] = tid;
	SYS(rt_tgsigqueueinfo, alone->pid, tid, alone->signal, &info);
}

bool hp_a_stop(struct hp_alone *alone)
{
	static const char tasks[] = "/proc/self/task";
	unsigned asked = 0;
	char self[24] = { 0 };
	SYS(readlink, "/proc/self", self, sizeof self - 1);
	const char *text = self;
	bool is_ours = hp_a_number(&text, 10) == (uint64_t)alone->pid, is_whole = false;
	int32_t *entries = (int32_t *)alone->pagemap;
	for (int64_t until = now_ns() + WITHIN_NS; !is_whole;) {
		long count = hp_a_numbers(tasks, entries, sizeof alone->pagemap / 4);
		if (count <= 0 || count >= HP_ALONE_THREADS)
			return hp_a_refuse(alone, "its threads cannot be listed, or are more than %d", NULL,
					   HP_ALONE_THREADS - 1);
		is_whole = true;
		for (long n = 0; n < count; n++) {
			int32_t tid = called(alone, entries[n], is_ours);
			if (!tid || find(alone, tid))
				continue;
			is_whole = false;
			if (asked == HP_ALONE_THREADS)
				return hp_a_refuse(alone, "its threads come and go too fast", NULL, 0);
			ask(alone, tid, &asked);
		}
		if (!is_whole && now_ns() > until)
			return hp_a_refuse(alone, "a thread blocks the signal that asks for it", NULL, 0);
		if (!is_whole)
			await(&alone->count, alone->count);
	}
	return true;
}

static void coordinate(struct hp_alone *alone, struct context *context)
{
	struct hp_alone_thread *mine = &alone->threads[0];
	alone->generation++;
	alone->left = 0;
	for (unsigned n = 0; n < HP_ALONE_THREADS; n++)
		alone->threads[n].ready = 0;
	__atomic_store_n(&alone->count, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&alone->phase, STANDING, __ATOMIC_SEQ_CST);
	make_again(context);
	describe(mine);
	mine->ready = 1;
	bool fine = hp_a_stop(alone);
	uint32_t count = __atomic_fetch_or(&alone->count, HP_ALONE_CLOSED, __ATOMIC_SEQ_CST);
	alone->head.threads = count;
	if (fine && hp_alone_mark(&mine->jump) == 0)
		fine = hp_a_look(alone) && hp_a_write_image(alone);
	set(&alone->phase, LEAVING);
	go_on(mine);
	while (__atomic_load_n(&alone->left, __ATOMIC_SEQ_CST) + 1 < count)
		await(&alone->left, alone->left);
	if (alone->scratch)
		SYS(munmap, alone->scratch, alone->scratch_bytes);
	alone->scratch = 0;
	if (!fine) {
		char line[700];
		line[0] = 0;
		hp_a_format(line, sizeof line, "no checkpoint was made: %s", alone->why, 0);
		hp_a_say(line);
	}
	__atomic_store_n(&alone->going, 0, __ATOMIC_SEQ_CST);
}

void hp_a_handler(int number, void *information, void *frame)
{
	struct hp_alone *alone = hp_alone_here;
	const struct info *info = information;
	(void)number;
	bool is_ours = info->code == -1 && info->value - (uint64_t)alone <= UINT32_MAX;
	if (SYS(getpid) != alone->pid) {
		if (!is_ours)
			hp_a_say("no checkpoint was made: this is a child of the program that was started");
		return;
	}
	if (is_ours) {
		bool is_now = info->value - (uint64_t)alone == alone->generation &&
			      !(__atomic_load_n(&alone->count, __ATOMIC_SEQ_CST) & HP_ALONE_CLOSED);
		if (is_now && alone->phase == STANDING)
			stand(alone, frame);
	} else if (__atomic_exchange_n(&alone->going, 1, __ATOMIC_SEQ_CST) == 0) {
		coordinate(alone, frame);
	} else {
		stand(alone, frame);
	}
}
