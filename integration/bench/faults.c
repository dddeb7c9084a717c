/* What the first use of things costs: a name in a directory of its own, a small file in another, ns each.
 * args: a directory that no earlier run has used, or what that one needed is fetched beforehand */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COUNT 200

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	static char block[16384];
	char name[64];
	struct stat st;
	if (argc < 2 || chdir(argv[1]) != 0)
		return 1;
	double start = now_ns();
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "names/%03d/here", i);
		if (stat(name, &st) != 0)
			return 1;
	}
	printf("a name, first use %.0f\n", (now_ns() - start) / COUNT);
	start = now_ns();
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "contents/%03d/file", i);
		int fd = open(name, O_RDONLY);
		if (fd < 0 || read(fd, block, sizeof(block)) != sizeof(block))
			return 1;
		close(fd);
	}
	printf("16 KB of a file, first use %.0f\n", (now_ns() - start) / COUNT);
	return 0;
}
