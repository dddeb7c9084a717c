/* What the restorer and the processes being made tell each other: a shared page and futexes.
 *
 * Owns: numbers of processes. Who is confined cannot choose one; the restorer sets the
 * namespace's last one, and nobody else is born meanwhile.
 */
#include "restore.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define LOOK_AGAIN_NS 20000000 /* somebody may have failed or died */
#define PATIENCE_S 20

struct hp_together *hp_together;

bool hp_together_make(unsigned processes)
{
	hp_together = mmap(NULL, sizeof *hp_together + (processes + 1) * sizeof(uint32_t), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return hp_together != MAP_FAILED;
}

static void sleep_on(const uint32_t *word, uint32_t value)
{
	const struct timespec again = { 0, LOOK_AGAIN_NS };
	(void)syscall(SYS_futex, word, FUTEX_WAIT, value, &again, NULL, 0);
}

static void set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
	(void)syscall(SYS_futex, word, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
}

void hp_together_add(uint32_t *count)
{
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
	(void)syscall(SYS_futex, count, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
	(void)syscall(SYS_futex, &hp_together->want, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
}

static bool over(void)
{
	return __atomic_load_n(&hp_together->failed, __ATOMIC_SEQ_CST) != 0;
}

void hp_together_await(const uint32_t *count, uint32_t value)
{
	for (;;) {
		uint32_t now = __atomic_load_n(count, __ATOMIC_SEQ_CST);
		if (now >= value)
			return;
		if (over())
			_exit(125);
		sleep_on(count, now);
	}
}

_Noreturn void hp_together_fail(int error, const char *format, ...)
{
	uint32_t none = 0;
	va_list arguments;
	if (__atomic_compare_exchange_n(&hp_together->lock, &none, 2, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ||
	    !over()) {
		va_start(arguments, format);
		vsnprintf(hp_together->stage, sizeof hp_together->stage, format, arguments);
		va_end(arguments);
		set(&hp_together->failed, error > 0 ? (uint32_t)error : EPROTO);
	}
	_exit(125);
}

pid_t hp_together_fork(pid_t pid, int flags)
{
	uint32_t none = 0;
	while (!__atomic_compare_exchange_n(&hp_together->lock, &none, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (over())
			_exit(125);
		sched_yield();
		none = 0;
	}
	set(&hp_together->granted, 0);
	set(&hp_together->want, (uint32_t)pid);
	hp_together_await(&hp_together->granted, 1);
	long child = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (child == 0)
		return 0;
	if (child < 0)
		hp_together_fail(errno, "making process %d", (int)pid);
	if (child != pid)
		hp_together_fail(EEXIST, "process number %d is taken", (int)pid);
	set(&hp_together->lock, 0);
	return (pid_t)child;
}

bool hp_together_serve(int last_pid, const uint32_t *count, uint32_t value)
{
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		uint32_t want = __atomic_load_n(&hp_together->want, __ATOMIC_SEQ_CST);
		if (want) {
			char text[16];
			int length = snprintf(text, sizeof text, "%u", want - 1);
			if (pwrite(last_pid, text, (size_t)length, 0) != length)
				return hp_refuse("process numbers cannot be chosen: %s", strerror(errno));
			set(&hp_together->want, 0);
			set(&hp_together->granted, 1);
		}
		if (over())
			return hp_refuse("%s: %s", hp_together->stage, strerror((int)hp_together->failed));
		if (__atomic_load_n(count, __ATOMIC_SEQ_CST) >= value)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > PATIENCE_S)
			return hp_refuse("the processes do not come up");
		if (!__atomic_load_n(&hp_together->want, __ATOMIC_SEQ_CST))
			sleep_on(&hp_together->want, 0);
	}
}
