/* copy_file_range: offsets, overlaps, ends, wrong descriptors. */
#include "say.h"

int main(void)
{
	char bytes[64];
	off_t from = 6, to = 100;
	int a = MUST(open("lines.txt", O_RDWR)), b = MUST(open("copy", O_RDWR | O_CREAT, 0644));
	VALUE(copy_file_range(a, &from, b, &to, 1000, 0));
	printf("%ld %ld %ld %ld\n", (long)from, (long)to, (long)lseek(a, 0, SEEK_CUR), (long)lseek(b, 0, SEEK_CUR));
	VALUE(copy_file_range(a, NULL, b, NULL, 50, 0));
	printf("%ld %ld\n", (long)lseek(a, 0, SEEK_CUR), (long)lseek(b, 0, SEEK_CUR));
	printf("%016lx\n", file_sum("copy"));
	from = 9990;
	to = 0;
	VALUE(copy_file_range(a, &from, b, &to, 1000, 0));
	from = 20000;
	VALUE(copy_file_range(a, &from, b, &to, 1000, 0));
	from = 0, to = 10;
	VALUE(copy_file_range(a, &from, a, &to, 100, 0));
	to = 5000;
	VALUE(copy_file_range(a, &from, a, &to, 100, 0));
	VALUE(copy_file_range(a, NULL, b, NULL, 0, 0));
	VALUE(copy_file_range(a, NULL, b, NULL, 10, 1));
	from = -1;
	VALUE(copy_file_range(a, &from, b, NULL, 10, 0));
	VALUE(copy_file_range(MUST(open("copy", O_WRONLY)), NULL, b, NULL, 10, 0));
	VALUE(copy_file_range(a, NULL, MUST(open("small.txt", O_RDONLY)), NULL, 10, 0));
	VALUE(copy_file_range(a, NULL, MUST(open("small.txt", O_WRONLY | O_APPEND)), NULL, 10, 0));
	VALUE(copy_file_range(a, NULL, MUST(open("dir", O_RDONLY)), NULL, 10, 0));
	VALUE(copy_file_range(MUST(open("dir", O_RDONLY)), NULL, b, NULL, 10, 0));
	int ends[2];
	MUST(pipe(ends));
	VALUE(copy_file_range(a, NULL, ends[1], NULL, 10, 0));
	int big = MUST(open("big.bin", O_RDONLY)), all = MUST(open("all", O_RDWR | O_CREAT, 0644));
	long total = 0, got;
	while ((got = MUST(copy_file_range(big, NULL, all, NULL, 10 << 20, 0))) > 0)
		total += got;
	printf("%ld\n", total);
	YES(file_sum("all") == file_sum("big.bin"));
	lseek(a, 0, SEEK_SET);
	MUST(pread(b, bytes, 30, 0));
	printf("%.9s|%.9s\n", bytes, bytes + 10);
	return 0;
}
