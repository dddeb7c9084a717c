/* Every mode of fallocate: what is zeroed, moved, kept; which are refused. */
#include <linux/falloc.h>
#include "say.h"

static void state(int fd)
{
	static char all[200000];
	struct stat st;
	MUST(fstat(fd, &st));
	ssize_t got = MUST(pread(fd, all, sizeof(all), 0));
	printf("size %ld sum %016lx\n", (long)st.st_size, fnv(FNV_START, all, got));
}

int main(void)
{
	static char block[4096];
	int fd = MUST(open("new", O_RDWR | O_CREAT, 0644));
	for (int i = 0; i < 16; i++) {
		memset(block, 'a' + i, sizeof(block));
		MUST(write(fd, block, sizeof(block)));
	}
	state(fd);
	TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 5000, 3000));
	state(fd);
	TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 60000, 20000));
	state(fd);
	TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 65000, 5000));
	state(fd);
	MUST(ftruncate(fd, 65536));
	TRY(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 8192, 8192));
	state(fd);
	TRY(fallocate(fd, FALLOC_FL_INSERT_RANGE, 4096, 12288));
	state(fd);
	TRY(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 100, 4096));
	TRY(fallocate(fd, FALLOC_FL_INSERT_RANGE, 4096, 100));
	TRY(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 1 << 20));
	TRY(fallocate(fd, FALLOC_FL_INSERT_RANGE, 1 << 20, 4096));
	TRY(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE, 0, 4096));
	TRY(fallocate(fd, 0x800, 0, 4096));
	TRY(fallocate(fd, 0, 0, -1));
	TRY(fallocate(fd, 0, 1l << 62, 1l << 62));
	state(fd);
	TRY(fallocate(MUST(open("dir", O_RDONLY)), 0, 0, 10));
	int ends[2];
	MUST(pipe(ends));
	TRY(fallocate(ends[1], 0, 0, 10));
	TRY(fallocate(-1, 0, 0, 10));
	int old = MUST(open("lines.txt", O_RDWR));
	TRY(fallocate(old, FALLOC_FL_INSERT_RANGE, 4096, 4096));
	state(old);
	TRY(fallocate(old, FALLOC_FL_COLLAPSE_RANGE, 0, 8192));
	state(old);
	return 0;
}
