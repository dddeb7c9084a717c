/* Memory of every kind that is written to, moved, given back and mapped again without pause, by threads and by children
 * that fork and execute. What each page should hold is known, and looked at all the time.
 *
 * Usage: mutating FILE: ends when that is there. mutating FILE MILLISECONDS: the same, for so long, without children. */
#include "../programs/again.h"
#include <alloca.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE 4096ul
#define PAGES 1024 /* of an area: 4 MiB */
#define HALF (PAGES / 2)
#define CHILDREN 3

enum kind {
	PLAIN,
	HEAP,
	STACK,
	SHARED,
	MEMFD,
	COPIED, /* of a file */
	PROTECTED,
	MOVED,
	MAPPED_AGAIN,
	GIVEN_BACK,
	HUGE,
	BY_KERNEL,
	GROWN, /* in place and back */
	THREADS,
	KINDS
};

struct area {
	unsigned char *at;
	unsigned long stamp[PAGES]; /* 0: nothing but zeros */
};

static struct area areas[KINDS];
static unsigned char *places[2]; /* of MOVED */
static int memfd, pipes[2], grown = HALF, over;
static unsigned long random_state, stamps;
static unsigned char *copied_from;

static unsigned long next(unsigned long *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static unsigned long chance(unsigned long below)
{
	return next(&random_state) % below;
}

static void fill(unsigned char *page, unsigned long stamp, unsigned long number)
{
	unsigned long *words = (unsigned long *)page;
	for (unsigned n = 0; n < PAGE / 8; n += 73)
		words[n] = stamp ? stamp * 0x9e3779b97f4a7c15ul + number * 512 + n : 0;
}

static int holds(const unsigned char *page, unsigned long stamp, unsigned long number)
{
	const unsigned long *words = (const unsigned long *)page;
	for (unsigned n = 0; n < PAGE / 8; n += 73)
		if (words[n] != (stamp ? stamp * 0x9e3779b97f4a7c15ul + number * 512 + n : 0))
			return 0;
	return 1;
}

static void look(enum kind kind, unsigned number)
{
	const struct area *area = &areas[kind];
	if (kind == COPIED && area->stamp[number] == 0) {
		CHECK(!memcmp(area->at + number * PAGE, copied_from + number * PAGE, PAGE));
		return;
	}
	if (!holds(area->at + number * PAGE, area->stamp[number], number)) {
		printf("kind %d, page %u is not %lx\n", kind, number, area->stamp[number]);
		fflush(stdout);
		_exit(1);
	}
}

static void look_at_all(void)
{
	for (int kind = 0; kind < KINDS; kind++)
		for (unsigned n = 0; n < PAGES; n++)
			if (!(kind == GROWN && n >= (unsigned)grown) && kind != THREADS)
				look(kind, n);
}

static void *map(void *at, size_t bytes, int flags, int fd)
{
	void *got = mmap(at, bytes, PROT_READ | PROT_WRITE, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
	CHECK(got != MAP_FAILED);
	return got;
}

static void by_kernel(unsigned char *page, unsigned long stamp, unsigned number)
{
	static unsigned char content[PAGE];
	fill(content, stamp, number);
	if (chance(2)) {
		CHECK(write(pipes[1], content, PAGE) == (ssize_t)PAGE && read(pipes[0], page, PAGE) == (ssize_t)PAGE);
	} else {
		struct iovec from = { content, PAGE }, to = { page, PAGE };
		CHECK(process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)PAGE);
	}
}

static void write_to(enum kind kind, unsigned number)
{
	struct area *area = &areas[kind];
	unsigned char *page = area->at + number * PAGE, content[PAGE];
	unsigned long stamp = area->stamp[number] = ++stamps;
	if (kind == BY_KERNEL) {
		by_kernel(page, stamp, number);
	} else if (kind == MEMFD && chance(2)) {
		memcpy(content, page, PAGE);
		fill(content, stamp, number);
		CHECK(pwrite(memfd, content, PAGE, (off_t)(number * PAGE)) == (ssize_t)PAGE);
	} else {
		fill(page, stamp, number);
	}
}

static void forget(enum kind kind, unsigned from, unsigned count)
{
	memset(areas[kind].stamp + from, 0, count * sizeof *areas[kind].stamp);
}

/* What only this kind can have done to it. */
static void shake(enum kind kind)
{
	struct area *area = &areas[kind];
	unsigned from = (unsigned)chance(HALF), count = 1 + (unsigned)chance(HALF);
	unsigned char *start = area->at + from * PAGE;
	switch (kind) {
	case HEAP:
		CHECK(sbrk((intptr_t)(16 * PAGE)) != (void *)-1);
		memset((char *)sbrk(0) - 16 * PAGE, 7, 16 * PAGE);
		CHECK(sbrk(-(intptr_t)(16 * PAGE)) != (void *)-1);
		break;
	case COPIED: /* the file's again */
	case GIVEN_BACK:
	case PLAIN:
	case HUGE:
		CHECK(madvise(start, count * PAGE, MADV_DONTNEED) == 0);
		forget(kind, from, count);
		break;
	case PROTECTED:
		CHECK(mprotect(start, count * PAGE, PROT_NONE) == 0);
		usleep(500);
		CHECK(mprotect(start, count * PAGE, PROT_READ) == 0);
		usleep(500);
		CHECK(mprotect(start, count * PAGE, PROT_READ | PROT_WRITE) == 0);
		break;
	case MOVED: { /* to where it was before, over what is there now */
		unsigned char *to = places[area->at == places[0]];
		CHECK(mremap(area->at, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
		map(area->at, PAGES * PAGE, MAP_PRIVATE | MAP_FIXED, -1);
		for (unsigned n = 0; n < PAGES; n += 5)
			fill(area->at + n * PAGE, 99, n); /* nobody looks at it again */
		area->at = to;
		break;
	}
	case MAPPED_AGAIN:
		CHECK(munmap(start, count * PAGE) == 0);
		if (chance(2))
			usleep(500);
		CHECK(map(start, count * PAGE, MAP_PRIVATE | MAP_FIXED, -1) == start);
		forget(kind, from, count);
		break;
	case GROWN: {
		int now = grown == PAGES ? HALF : PAGES;
		if (mremap(area->at, (size_t)grown * PAGE, (size_t)now * PAGE, 0) != area->at) {
			CHECK(errno == ENOMEM && now == PAGES); /* something of the run's own is there now */
			break;
		}
		forget(kind, HALF, HALF);
		grown = now;
		break;
	}
	default:
		break;
	}
}

static void *write_without_pause(void *nothing)
{
	struct area *area = &areas[THREADS];
	unsigned long state = 77, stamp = 0;
	(void)nothing;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		unsigned number = (unsigned)(next(&state) % PAGES);
		if (!holds(area->at + number * PAGE, area->stamp[number], number)) {
			printf("the thread's page %u is not %lx\n", number, area->stamp[number]);
			fflush(stdout);
			_exit(1);
		}
		area->stamp[number] = ++stamp;
		fill(area->at + number * PAGE, stamp, number);
		if (stamp % 8 == 0)
			usleep(200);
	}
	return NULL;
}

static void make_areas(void)
{
	int file = open("/tmp/copied", O_RDWR | O_CREAT, 0600);
	static unsigned char content[PAGES * PAGE];
	for (unsigned n = 0; n < PAGES * PAGE; n++)
		content[n] = (unsigned char)(n * 31 >> 5);
	copied_from = content;
	CHECK(file >= 0 && write(file, content, sizeof content) == (ssize_t)sizeof content);
	memfd = memfd_create("memory", 0);
	CHECK(memfd >= 0 && ftruncate(memfd, PAGES * PAGE) == 0 && pipe(pipes) == 0);
	for (int kind = 0; kind < KINDS; kind++) {
		size_t bytes = PAGES * PAGE;
		if (kind == STACK)
			continue;
		if (kind == HEAP)
			areas[kind].at = (unsigned char *)(((unsigned long)sbrk((intptr_t)(bytes + PAGE)) + PAGE - 1) &
							   ~(PAGE - 1));
		else if (kind == HUGE)
			areas[kind].at =
				(unsigned char *)(((unsigned long)map(NULL, 8 << 20, MAP_PRIVATE, -1) + (2 << 20) - 1) &
						  ~((2ul << 20) - 1));
		else
			areas[kind].at = map(NULL, bytes, kind == SHARED || kind == MEMFD ? MAP_SHARED : MAP_PRIVATE,
					     kind == MEMFD  ? memfd :
					     kind == COPIED ? file :
							      -1);
	}
	CHECK(madvise(areas[HUGE].at, 4 << 20, MADV_HUGEPAGE) == 0);
	CHECK(mremap(areas[GROWN].at, PAGES * PAGE, HALF * PAGE, 0) == areas[GROWN].at);
	places[0] = areas[MOVED].at;
	places[1] = map(NULL, PAGES * PAGE, MAP_PRIVATE, -1);
	close(file);
}

static void mutate(void)
{
	enum kind kind = (enum kind)chance(THREADS);
	for (int n = 0; n < 12; n++) {
		unsigned number = (unsigned)chance(kind == GROWN ? (unsigned)grown : PAGES);
		look(kind, number);
		write_to(kind, number);
	}
	if (chance(6) == 0)
		shake(kind);
}

/* A copy of everything, some time of its own, and perhaps another program. */
static _Noreturn void live_on(char **argv)
{
	char time_ms[16];
	double until_s = now_s(CLOCK_MONOTONIC) + 0.001 * (double)chance(150);
	areas[SHARED].at = areas[MEMFD].at = map(NULL, PAGES * PAGE, MAP_PRIVATE, -1);
	forget(SHARED, 0, PAGES);
	forget(MEMFD, 0, PAGES);
	CHECK(pipe(pipes) == 0 && (memfd = memfd_create("own", 0)) >= 0 && ftruncate(memfd, PAGES * PAGE) == 0);
	areas[MEMFD].at = map(NULL, PAGES * PAGE, MAP_SHARED, memfd);
	look_at_all();
	while (now_s(CLOCK_MONOTONIC) < until_s) {
		mutate();
		usleep(300);
	}
	look_at_all();
	snprintf(time_ms, sizeof time_ms, "%lu", chance(150));
	char *words[] = { argv[0], argv[1], time_ms, NULL };
	if (chance(2))
		execv("/proc/self/exe", words);
	_exit(0);
}

static int is_over(const char *stop, double until_s)
{
	return until_s > 0 ? now_s(CLOCK_MONOTONIC) > until_s : access(stop, F_OK) == 0;
}

int main(int argc, char **argv)
{
	int is_first = argc == 2;
	double until_s = argc < 3 ? 0 : now_s(CLOCK_MONOTONIC) + atoi(argv[2]) / 1000.0;
	pthread_t thread;
	int children = 0, status;
	CHECK(argc >= 2);
	random_state = 0x123456789ul + (unsigned long)getpid() * 7919;
	areas[STACK].at = (unsigned char *)(((unsigned long)alloca(PAGES * PAGE + PAGE) + PAGE - 1) & ~(PAGE - 1));
	memset(areas[STACK].at, 0, PAGES * PAGE);
	make_areas();
	for (int kind = 0; kind < THREADS; kind++)
		for (unsigned n = 0; n < PAGES - (kind == GROWN ? HALF : 0); n++)
			write_to((enum kind)kind, n);
	CHECK(pthread_create(&thread, NULL, write_without_pause, NULL) == 0);
	if (is_first)
		printf("ready\n");
	fflush(stdout);
	for (unsigned long round = 0; !is_over(argv[1], until_s); round++) {
		mutate();
		if (is_first && children < CHILDREN && chance(20) == 0) {
			pid_t child = fork();
			if (child == 0)
				live_on(argv);
			children += child > 0;
		}
		for (pid_t ended; children && (ended = waitpid(-1, &status, WNOHANG)) > 0; children--)
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		if (round % 64 == 0)
			look_at_all();
		usleep(300);
	}
	for (; children; children--)
		CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	over = 1;
	pthread_join(thread, NULL);
	look_at_all();
	return is_first ? done() : 0;
}
