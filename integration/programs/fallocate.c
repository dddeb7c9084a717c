/* fallocate: reserve, keep the size, punch, zero; posix_fallocate. */
#include <linux/falloc.h>
#include "say.h"

static long size_of(int fd)
{
	struct stat st;
	MUST(fstat(fd, &st));
	return st.st_size;
}

int main(void)
{
	char bytes[8];
	int fd = MUST(open("new", O_RDWR | O_CREAT, 0644));
	TRY(fallocate(fd, 0, 0, 100000));
	printf("%ld\n", size_of(fd));
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 100000, 100000));
	printf("%ld\n", size_of(fd));
	printf("posix_fallocate %d\n", posix_fallocate(fd, 0, 150000));
	printf("%ld\n", size_of(fd));
	int big = MUST(open("big.bin", O_RDWR));
	TRY(fallocate(big, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 65536 * 3));
	VALUE(pread(big, bytes, 8, (1 << 20) + 4096));
	YES(memcmp(bytes, "\0\0\0\0\0\0\0\0", 8) == 0);
	VALUE(lseek(big, 1 << 20, SEEK_DATA));
	printf("%016lx\n", file_sum("big.bin"));
	TRY(fallocate(big, FALLOC_FL_PUNCH_HOLE, 0, 4096));
	TRY(fallocate(big, 0, -1, 10));
	TRY(fallocate(big, 0, 0, 0));
	TRY(fallocate(MUST(open("big.bin", O_RDONLY)), 0, 0, 10));
	TRY(fallocate(big, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 100, 50));
	printf("%016lx\n", file_sum("big.bin"));
	return 0;
}
