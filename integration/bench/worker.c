/* The bench's own programs in one: bulk, random and small-file work with next to no work of its own.
 *
 * worker clock COMMAND...         runs it, then says on stderr how many ns that took
 * worker read FILE                a sum over all of it, in pieces of 1 MiB
 * worker random FILE COUNT        a sum over COUNT blocks of 4 KiB here and there
 * worker write FILE MEGABYTES     bytes that follow from their place
 * worker small DIRECTORY COUNT    so many files of some hundred bytes
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIECE (1u << 20)

static uint64_t words[PIECE / 8];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t sum(size_t length)
{
	uint64_t total = 0;

	for (size_t i = 0; i < length / 8; i++)
		total = total * 3 + words[i];
	return total;
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		die(path);
	return fd;
}

static int read_all(const char *path)
{
	int fd = opened(path, O_RDONLY);
	uint64_t total = 0;
	ssize_t got;

	while ((got = read(fd, words, PIECE)) > 0)
		total = total * 5 + sum((size_t)got);
	if (got < 0)
		die(path);
	return printf("%016lx\n", (unsigned long)total) < 0;
}

static int read_some(const char *path, long count)
{
	int fd = opened(path, O_RDONLY);
	uint64_t total = 0, seed = 88172645463325252u;
	struct stat status;

	fstat(fd, &status);
	for (long i = 0; i < count; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		if (pread(fd, words, 4096, (off_t)(seed % (uint64_t)(status.st_size / 4096) * 4096)) != 4096)
			die(path);
		total = total * 5 + sum(4096);
	}
	return printf("%016lx\n", (unsigned long)total) < 0;
}

static int write_all(const char *path, long megabytes)
{
	int fd = opened(path, O_WRONLY | O_CREAT | O_TRUNC);

	for (uint64_t i = 0; i < PIECE / 8; i++)
		words[i] = i * 0x9e3779b97f4a7c15u;
	for (long i = 0; i < megabytes; i++) {
		words[i % 1000] += (uint64_t)i;
		if (write(fd, words, PIECE) != PIECE)
			die(path);
	}
	if (close(fd))
		die(path);
	return 0;
}

static int write_small(const char *directory, long count)
{
	char path[4096], text[512];

	memset(text, 'x', sizeof text);
	for (long i = 0; i < count; i++) {
		int fd;

		snprintf(path, sizeof path, "%s/result%ld", directory, i);
		fd = opened(path, O_WRONLY | O_CREAT | O_TRUNC);
		snprintf(text, sizeof text, "file %ld\n", i);
		if (write(fd, text, 100 + (size_t)i % 400) < 0 || close(fd))
			die(path);
	}
	return 0;
}

static int clock_of(char **argv)
{
	struct timespec before, after;
	int status;
	pid_t child;

	clock_gettime(CLOCK_MONOTONIC, &before);
	child = vfork();
	if (child == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(child, &status, 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	fprintf(stderr, "%lld ns\n", (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (strcmp(what, "clock") == 0)
		return clock_of(argv + 2);
	if (strcmp(what, "read") == 0)
		return read_all(argv[2]);
	if (argc > 3 && strcmp(what, "random") == 0)
		return read_some(argv[2], atol(argv[3]));
	if (argc > 3 && strcmp(what, "write") == 0)
		return write_all(argv[2], atol(argv[3]));
	if (argc > 3 && strcmp(what, "small") == 0)
		return write_small(argv[2], atol(argv[3]));
	fprintf(stderr, "usage: see the source\n");
	return 2;
}
