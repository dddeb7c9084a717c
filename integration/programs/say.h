/* What every program here uses: run an expression, print it and how it ended.
 *
 * Nothing that differs between two honest runs is printed: no inode, no pid,
 * no address, no time; relations between them instead.
 */
#ifndef SAY_H
#define SAY_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A line is out before a fork can copy the buffer. Root would be allowed what
 * these programs expect to be refused, and do harm with it. */
__attribute__((constructor)) static void say_by_lines(void)
{
	if (geteuid() == 0) {
		fputs("not as root\n", stderr);
		_exit(96);
	}
	setvbuf(stdout, NULL, _IOLBF, 4096);
}

/* Prints "text: ok" or "text: ENOENT"; its value is the expression's. */
#define TRY(expression) \
	({ \
		errno = 0; \
		long tried_ = (long)(expression); \
		printf("%s: %s\n", #expression, tried_ < 0 ? strerrorname_np(errno) : "ok"); \
		tried_; \
	})

/* Prints "text: 42" or "text: ENOENT". */
#define VALUE(expression) \
	({ \
		errno = 0; \
		long tried_ = (long)(expression); \
		if (tried_ < 0) \
			printf("%s: %s\n", #expression, strerrorname_np(errno)); \
		else \
			printf("%s: %ld\n", #expression, tried_); \
		tried_; \
	})

#define YES(condition) printf("%s: %s\n", #condition, (condition) ? "yes" : "no")

/* For what has to work before the behaviour itself can be looked at. */
#define MUST(expression) \
	({ \
		long must_ = (long)(expression); \
		if (must_ < 0) { \
			printf("line %d: %s: %s\n", __LINE__, #expression, strerrorname_np(errno)); \
			exit(99); \
		} \
		must_; \
	})

/* A bad address that compilers know nothing of. */
__attribute__((unused)) static void *volatile const nowhere_ = (void *)8;
#define NOWHERE ((void *)nowhere_)

static inline void put(const char *name, const char *text)
{
	int fd = MUST(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644));
	MUST(write(fd, text, strlen(text)));
	MUST(close(fd));
}

/* Prints up to 200 bytes of a file, newlines shown as '|'. */
static inline void show(const char *name)
{
	char text[201];
	int fd = open(name, O_RDONLY);
	if (fd < 0) {
		printf("%s -> %s\n", name, strerrorname_np(errno));
		return;
	}
	ssize_t got = read(fd, text, 200);
	close(fd);
	if (got < 0) {
		printf("%s -> read %s\n", name, strerrorname_np(errno));
		return;
	}
	text[got] = 0;
	for (ssize_t i = 0; i < got; i++)
		if (text[i] == '\n')
			text[i] = '|';
	printf("%s -> %zd \"%s\"\n", name, got, text);
}

static inline void show_wait(const char *what, pid_t pid)
{
	int status;
	MUST(waitpid(pid, &status, 0));
	if (WIFSIGNALED(status))
		printf("%s: killed by %s\n", what, sigabbrev_np(WTERMSIG(status)));
	else
		printf("%s: exit %d\n", what, WEXITSTATUS(status));
}

/* Linux counts a process's pages for each processor and adds up when there are dozens: ru_maxrss of a
 * small process may be 0. After this it is certain to be above FILLED_KB. */
#define FILLED_KB 8192
static inline void fill_memory(void)
{
	size_t length = 2 * FILLED_KB * 1024;
	char *all = (char *)mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(all == MAP_FAILED ? -1 : 0);
	for (size_t at = 0; at < length; at += 4096)
		((volatile char *)all)[at] = 1;
}

static inline uint64_t fnv(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *at = (const unsigned char *)bytes;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return hash;
}
#define FNV_START 0xcbf29ce484222325u

/* Content of a whole file as a number, by plain reads. */
static inline uint64_t file_sum(const char *name)
{
	static char block[65536];
	uint64_t hash = FNV_START;
	ssize_t got;
	int fd = MUST(open(name, O_RDONLY));
	while ((got = MUST(read(fd, block, sizeof(block)))) > 0)
		hash = fnv(hash, block, got);
	close(fd);
	return hash;
}

static inline int same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

#endif
