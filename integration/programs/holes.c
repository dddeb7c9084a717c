/* Holes that the program makes read as zeros; a write far behind the end leaves one. */
#include "say.h"

int main(void)
{
	char bytes[4096];
	struct stat st;
	int fd = MUST(open("holey", O_RDWR | O_CREAT, 0644));
	VALUE(pwrite(fd, "end", 3, 1000000));
	VALUE(lseek(fd, 500000, SEEK_SET));
	VALUE(write(fd, "middle", 6));
	MUST(fstat(fd, &st));
	printf("size %ld, sparse %s\n", (long)st.st_size, st.st_blocks * 512 < st.st_size ? "yes" : "no");
	VALUE(pread(fd, bytes, 4096, 100));
	int zero = 1;
	for (int i = 0; i < 4096; i++)
		zero &= bytes[i] == 0;
	YES(zero);
	VALUE(pread(fd, bytes, 100, 999950));
	VALUE(pread(fd, bytes, 100, 2000000));
	printf("%016lx\n", file_sum("holey"));
	int big = MUST(open("big.bin", O_WRONLY));
	VALUE(pwrite(big, "far", 3, 10 << 20));
	printf("%016lx\n", file_sum("big.bin"));
	VALUE(lseek(fd, 1L << 40, SEEK_SET));
	VALUE(read(fd, bytes, 1));
	VALUE(lseek(fd, -1, SEEK_SET));
	VALUE(lseek(fd, -3, SEEK_END));
	return 0;
}
