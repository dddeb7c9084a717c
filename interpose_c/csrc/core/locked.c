/* mlockall: of the program's memory. What hpool has mapped into the process, the channel
 * before all, would not fit into any limit and must not be filled.
 *
 * Owns: MCL_CURRENT, mapping by mapping, with the kernel's answers. Leaves to others:
 * what is mapped later (the kernel), single ranges (refusals.c).
 */
#include <linux/mman.h>
#include <linux/resource.h>

#include "core.h"

#define PAGE 4096ul
#define VSYSCALL 0xffffffffff600000ul /* no mapping of the process's */
#define ROOM 1024

struct sum {
	unsigned long bytes;
	long lock_flags;
};

static unsigned long hex(const char **at)
{
	unsigned long value = 0;

	for (;; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			value = value * 16 + (unsigned long)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (unsigned long)(c - 'a' + 10);
		else
			return value;
	}
}

static void count(struct sum *sum, unsigned long start, unsigned long end)
{
	sum->bytes += end - start;
}

/* As mlockall does, it goes on where pages cannot be had. */
static void lock(struct sum *sum, unsigned long start, unsigned long end)
{
	hp_syscall3(__NR_mlock2, (long)start, (long)(end - start), sum->lock_flags);
}

typedef void visitor(struct sum *, unsigned long start, unsigned long end);

/* The kernel may have joined a mapping of ours with one of the program's. */
static void visit_parts(visitor *visit, struct sum *sum, unsigned long start, unsigned long end)
{
	if (!hp_is_shim_range(start, end - start)) {
		visit(sum, start, end);
		return;
	}
	for (unsigned long at = start, begin = 0; at <= end; at += PAGE) {
		bool is_theirs = at < end && !hp_is_shim_range(at, PAGE);

		if (is_theirs && !begin)
			begin = at;
		if (!is_theirs && begin) {
			visit(sum, begin, at);
			begin = 0;
		}
	}
}

/* Each line begins with "start-end ". */
static long visit_mappings(visitor *visit, struct sum *sum)
{
	char buffer[ROOM], line[40];
	unsigned have = 0;
	long fd = hp_syscall4(__NR_openat, AT_FDCWD, (long)"/proc/thread-self/maps", O_RDONLY | O_CLOEXEC, 0), got;

	if (fd < 0)
		return fd;
	while ((got = hp_syscall3(__NR_read, fd, (long)buffer, sizeof buffer)) > 0)
		for (long i = 0; i < got; i++) {
			const char *at = line;
			unsigned long start;

			if (buffer[i] != '\n') {
				if (have < sizeof line - 1)
					line[have++] = buffer[i];
				continue;
			}
			line[have] = 0;
			have = 0;
			start = hex(&at);
			at++;
			if (start < VSYSCALL)
				visit_parts(visit, sum, start, hex(&at));
		}
	hp_syscall1(__NR_close, fd);
	return got;
}

long hp_call_mlockall(struct hp_call *call)
{
	unsigned flags = (unsigned)call->arg[0];
	struct sum sum = { .lock_flags = flags & MCL_ONFAULT ? MLOCK_ONFAULT : 0 };
	struct rlimit limit;
	long failed;

	if (!(flags & MCL_CURRENT) || flags & ~(unsigned)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		return HP_PASS;
	failed = hp_syscall4(__NR_prlimit64, 0, RLIMIT_MEMLOCK, 0, (long)&limit);
	if (!failed)
		failed = visit_mappings(count, &sum);
	if (failed)
		return -ENOMEM;
	if (sum.bytes / PAGE > limit.rlim_cur / PAGE) {
		failed = limit.rlim_cur ? -ENOMEM : -EPERM;
		hp_report_refused(call, (int)-failed);
		return failed;
	}
	if (flags & MCL_FUTURE)
		failed = hp_syscall1(__NR_mlockall, flags & ~(unsigned)MCL_CURRENT);
	else
		failed = hp_syscall0(__NR_munlockall); /* nothing else ends what an earlier MCL_FUTURE began */
	return failed ? failed : visit_mappings(lock, &sum);
}
