/* Everything that can be done to memory which is still missing, at once when the job goes on, while threads look at it
 * at random places. What each page should hold is known.
 *
 * Usage: touched FILE [exit]: begins when FILE is there; `exit`: ends at once, with 7. */
#include "../programs/again.h"
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE 4096ul
#define WORDS (PAGE / 8)
#define PAGES 16384ul /* of each area */
#define GUARD_INSTALL 102
#define THREADS 4

enum area { LOOKED_AT, CALLED_WITH, UNMAPPED, EMPTIED, MOVED, PROTECTED, GUARDED, AREAS };
static unsigned long *areas[AREAS];
static volatile int over;
static pthread_mutex_t *robust;
static volatile sig_atomic_t signalled;
static sigjmp_buf back;

static unsigned long word_of(enum area area, unsigned long n)
{
	return (n + ((unsigned long)area << 40) + 1) * 0x9e3779b97f4a7c15ul;
}

static void *map(size_t bytes)
{
	void *got = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(got != MAP_FAILED);
	return got;
}

static unsigned long *at(enum area area, unsigned long page)
{
	return areas[area] + page * WORDS;
}

static int holds(enum area area, unsigned long page)
{
	for (unsigned long n = page * WORDS; n < (page + 1) * WORDS; n += 37)
		if (areas[area][n] != word_of(area, n))
			return 0;
	return 1;
}

static int is_empty(enum area area, unsigned long page)
{
	for (unsigned long n = 0; n < WORDS; n++)
		if (at(area, page)[n])
			return 0;
	return 1;
}

static void *look(void *seed)
{
	unsigned long state = (unsigned long)seed * 2 + 1;
	while (!over) {
		state = state * 6364136223846793005ul + 1442695040888963407ul;
		CHECK(holds(LOOKED_AT, (state >> 33) % PAGES));
	}
	return NULL;
}

static void *die_with_it(void *go)
{
	CHECK(pthread_mutex_lock(robust) == 0);
	while (access(go, F_OK))
		;
	syscall(SYS_exit, 0);
	return NULL;
}

static void call_with(void)
{
	static unsigned long got[WORDS];
	int pipes[2];
	CHECK(pipe(pipes) == 0);
	for (unsigned long page = 0; page < PAGES; page += 509) {
		CHECK(write(pipes[1], at(CALLED_WITH, page), PAGE) == (ssize_t)PAGE);
		CHECK(read(pipes[0], got, PAGE) == (ssize_t)PAGE);
		CHECK(got[37] == word_of(CALLED_WITH, page * WORDS + 37));
		unsigned long *into =
			at(CALLED_WITH, page + 1); /* half of a page that is missing, the other half stays */
		CHECK(write(pipes[1], into + WORDS / 2, 1) == 1 && read(pipes[0], into, 1) == 1);
		CHECK(into[1] == word_of(CALLED_WITH, (page + 1) * WORDS + 1));
		into[0] = word_of(CALLED_WITH, (page + 1) * WORDS);
		struct iovec *vector = (void *)at(CALLED_WITH, page + 2), before = *vector;
		CHECK(before.iov_len == word_of(CALLED_WITH, (page + 2) * WORDS + 1));
		*vector = (struct iovec){ at(CALLED_WITH, page + 3), PAGE };
		CHECK(writev(pipes[1], vector, 1) == (ssize_t)PAGE && read(pipes[0], got, PAGE) == (ssize_t)PAGE);
		CHECK(got[5] == word_of(CALLED_WITH, (page + 3) * WORDS + 5));
		*vector = before;
		CHECK(syscall(SYS_futex, at(CALLED_WITH, page + 4), FUTEX_WAIT, 0, NULL, NULL, 0) == -1 &&
		      errno == EAGAIN);
		errno = 0;
		CHECK(syscall(SYS_futex, at(CALLED_WITH, page + 5) + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == -1 &&
		      errno != EFAULT);
		struct iovec from = { at(CALLED_WITH, page + 6), PAGE }, to = { got, PAGE };
		CHECK(process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)PAGE);
		CHECK(got[9] == word_of(CALLED_WITH, (page + 6) * WORDS + 9));
		CHECK(mlock(at(CALLED_WITH, page + 7), PAGE) == 0);
	}
	close(pipes[0]);
	close(pipes[1]);
}

static void give_up(void)
{
	for (unsigned long page = 0; page + 64 < PAGES; page += 1021) {
		CHECK(munmap(at(UNMAPPED, page), 16 * PAGE) == 0);
		CHECK(mmap(at(UNMAPPED, page), 8 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
		CHECK(is_empty(UNMAPPED, page) && is_empty(UNMAPPED, page + 7) && holds(UNMAPPED, page + 16));
		CHECK(madvise(at(EMPTIED, page), 32 * PAGE, MADV_DONTNEED) == 0);
		CHECK(is_empty(EMPTIED, page) && is_empty(EMPTIED, page + 31) && holds(EMPTIED, page + 32));
		*at(EMPTIED, page + 5) = 5;
	}
}

static void look_at_given_up(void)
{
	for (unsigned long page = 0; page < PAGES; page++) {
		unsigned long piece = page / 1021 * 1021, n = page - piece;
		int given = piece + 64 < PAGES;
		if (given && n < 8)
			CHECK(is_empty(UNMAPPED, page));
		else if (!given || n >= 16)
			CHECK(holds(UNMAPPED, page));
		if (given && n == 5)
			CHECK(*at(EMPTIED, page) == 5);
		else if (given && n < 32)
			CHECK(is_empty(EMPTIED, page));
		else
			CHECK(holds(EMPTIED, page));
	}
}

static void protect(void)
{
	for (unsigned long page = 0; page + 8 < PAGES; page += 499) {
		CHECK(mprotect(at(PROTECTED, page), PAGE, PROT_NONE) == 0);
		CHECK(mprotect(at(PROTECTED, page + 2), PAGE, PROT_READ) == 0 && holds(PROTECTED, page + 2));
	}
	for (unsigned long page = 0; page + 8 < PAGES; page += 499)
		CHECK(mprotect(at(PROTECTED, page), PAGE, PROT_READ) == 0 && holds(PROTECTED, page));
}

static void hear(int number)
{
	char room[16384];
	memset(room, number, sizeof room);
	CHECK((uintptr_t)room >> 30 == 4 && room[sizeof room - 1] == SIGUSR1);
	signalled++;
}

static void leave(int number)
{
	siglongjmp(back, number);
}

static void lengthen(void)
{
	areas[MOVED] = mremap(areas[MOVED], PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE);
	CHECK(areas[MOVED] != MAP_FAILED);
	for (unsigned long page = 0; page < PAGES; page += 7)
		CHECK(holds(MOVED, page) && is_empty(MOVED, PAGES + page));
}

static void guard(void)
{
	if (madvise(at(GUARDED, 64), PAGE, GUARD_INSTALL))
		return; /* not in this kernel */
	CHECK(signal(SIGSEGV, leave) != SIG_ERR);
	if (sigsetjmp(back, 1) == 0) {
		(void)*(volatile unsigned long *)at(GUARDED, 64);
		CHECK(!"a guard page can be read");
	}
	CHECK(holds(GUARDED, 63) && holds(GUARDED, 65));
}

static void have_children(void)
{
	int status;
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		for (unsigned long page = 0; page < PAGES; page++)
			CHECK(holds(LOOKED_AT, page));
		*at(LOOKED_AT, 1) = 0;
		_exit(3);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3);
	CHECK(holds(LOOKED_AT, 1));
}

static void execute(void)
{
	int status;
	pid_t child;
	char *argv[] = { "true", NULL };
	CHECK(posix_spawn(&child, "/bin/true", NULL, NULL, argv, NULL) == 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv)
{
	pthread_t lookers[THREADS], dying;
	pthread_mutexattr_t kind;
	unsigned char *altstack = mmap((void *)(4ul << 30), 1 << 20, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(argc >= 2 && altstack != MAP_FAILED);
	for (int area = 0; area < AREAS; area++) {
		areas[area] = map(PAGES * PAGE);
		for (unsigned long n = 0; n < PAGES * WORDS; n++)
			areas[area][n] = word_of(area, n);
	}
	memset(altstack, 0x5a, 1 << 20);
	CHECK(sigaltstack(&(stack_t){ .ss_sp = altstack, .ss_size = 1 << 20 }, NULL) == 0);
	CHECK(sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = hear, .sa_flags = SA_ONSTACK }, NULL) == 0);
	robust = map(1 << 20);
	memset(robust, 1, 1 << 20);
	robust += 1000;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	CHECK(pthread_mutex_init(robust, &kind) == 0);
	CHECK(pthread_create(&dying, NULL, die_with_it, argv[1]) == 0);
	printf("ready\n");
	fflush(stdout);
	while (access(argv[1], F_OK))
		;
	if (argc > 2)
		_exit(7);
	for (unsigned long n = 0; n < THREADS; n++)
		CHECK(pthread_create(&lookers[n], NULL, look, (void *)n) == 0);
	CHECK(raise(SIGUSR1) == 0 && signalled == 1 && altstack[0] == 0x5a);
	CHECK(pthread_mutex_lock(robust) == EOWNERDEAD);
	CHECK(pthread_join(dying, NULL) == 0);
	execute();
	call_with();
	give_up();
	protect();
	have_children();
	lengthen();
	guard();
	over = 1;
	for (unsigned n = 0; n < THREADS; n++)
		CHECK(pthread_join(lookers[n], NULL) == 0);
	look_at_given_up();
	for (unsigned long page = 0; page < PAGES; page++)
		CHECK(holds(LOOKED_AT, page) && holds(CALLED_WITH, page) && holds(PROTECTED, page));
	return done();
}
