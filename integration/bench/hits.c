/* What a hit costs: the same call a hundred thousand times, in ns. Best of five rounds, as noise only adds. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

#define MEASURE(name, count, body) \
	do { \
		double best = 1e18; \
		for (int round = 0; round < ROUNDS; round++) { \
			double start = now_ns(); \
			for (int i = 0; i < (count); i++) { \
				body; \
			} \
			double each = (now_ns() - start) / (count); \
			best = each < best ? each : best; \
		} \
		printf("%s %.1f\n", name, best); \
	} while (0)

int main(void)
{
	struct stat st;
	static char block[4096];
	int file = open("small.txt", O_RDONLY), big = open("big.bin", O_RDONLY),
	    out = open("out.bin", O_RDWR | O_CREAT, 0644);
	if (file < 0 || big < 0 || out < 0 || read(big, block, sizeof(block)) < 0)
		return 1;
	MEASURE("getppid", 200000, syscall(SYS_getppid));
	MEASURE("stat", 100000, if (stat("dir/sub/deep/leaf.txt", &st) != 0) return 1);
	MEASURE("fstat", 100000, if (fstat(file, &st) != 0) return 1);
	MEASURE("stat absent", 100000, if (stat("dir/absent", &st) == 0) return 1);
	MEASURE("access", 100000, if (access("small.txt", R_OK) != 0) return 1);
	MEASURE("open+close", 100000, close(open("small.txt", O_RDONLY)));
	MEASURE("pread 4 KB, small file", 100000, if (pread(file, block, 4096, 0) < 0) return 1);
	MEASURE("pread 4 KB, file by blocks", 100000, if (pread(big, block, 4096, i % 16 * 4096) != 4096) return 1);
	MEASURE("pwrite 4 KB", 20000, if (pwrite(out, block, 4096, i % 256 * 4096) != 4096) return 1);
	MEASURE("lseek", 200000, if (lseek(big, i, SEEK_SET) != i) return 1);
	return 0;
}
