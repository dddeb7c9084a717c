/* A mapped file gets shorter and longer: SIGBUS behind its end, zeros where it grew. */
#include <setjmp.h>
#include "say.h"

static sigjmp_buf back;

static void caught(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void touch(const char *what, volatile char *at)
{
	if (sigsetjmp(back, 1) == 0)
		printf("%s: %d\n", what, *at);
	else
		printf("%s: SIGBUS\n", what);
}

int main(void)
{
	int fd = MUST(open("big.bin", O_RDWR));
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	signal(SIGBUS, caught);
	touch("inside", map + 5000);
	MUST(ftruncate(fd, 6000));
	touch("in the last page", map + 5000);
	touch("behind the end, same page", map + 8000);
	touch("next page", map + 8192);
	MUST(ftruncate(fd, 20000));
	touch("grown", map + 8192);
	touch("where it was cut", map + 7000);
	map[10000] = 'm';
	char byte;
	MUST(pread(fd, &byte, 1, 10000));
	printf("read back %c\n", byte);
	MUST(pwrite(fd, "w", 1, 10001));
	printf("mapped %c\n", map[10001]);
	TRY(msync(map, 1 << 20, MS_SYNC));
	MUST(ftruncate(fd, 30000));
	map[30001] = 'b';
	MUST(msync(map, 1 << 20, MS_SYNC));
	MUST(ftruncate(fd, 40000));
	touch("written behind the end, then cut longer", map + 30001);
	map[40001] = 'b';
	MUST(msync(map, 1 << 20, MS_SYNC));
	MUST(posix_fallocate(fd, 0, 50000) ? -1 : 0);
	touch("written behind the end, then allocated", map + 40001);
	MUST(ftruncate(fd, 0));
	touch("empty", map);
	MUST(pwrite(fd, "again", 5, 0));
	touch("written again", map);
	char *copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	copy[0] = 'P';
	MUST(pread(fd, &byte, 1, 0));
	printf("private %c, file %c\n", copy[0], byte);
	TRY(munmap(map, 1 << 20));
	return 0;
}
