/* copy_file_range inside a file and between files. */
#include "say.h"

int main(void)
{
	int in = MUST(open("big.bin", O_RDONLY)), out = MUST(open("copy", O_RDWR | O_CREAT, 0644));
	loff_t from = 65536, to = 10;
	long total = 0, got;
	while (total < (2 << 20) && (got = MUST(copy_file_range(in, &from, out, &to, (2 << 20) - total, 0))) > 0)
		total += got;
	printf("%ld %ld %ld\n", total, (long)from, (long)to);
	printf("%016lx\n", file_sum("copy"));
	VALUE(copy_file_range(in, NULL, out, NULL, 5, 0));
	VALUE(lseek(in, 0, SEEK_CUR));
	VALUE(lseek(out, 0, SEEK_CUR));
	int same = MUST(open("lines.txt", O_RDWR));
	from = 0, to = 9000;
	VALUE(copy_file_range(same, &from, same, &to, 100, 0));
	from = 0, to = 50;
	VALUE(copy_file_range(same, &from, same, &to, 100, 0));
	from = 3 << 20, to = 0;
	VALUE(copy_file_range(in, &from, out, &to, 100, 0));
	from = 4 << 20;
	VALUE(copy_file_range(in, &from, out, &to, 100, 0));
	VALUE(copy_file_range(out, NULL, in, NULL, 100, 0));
	VALUE(copy_file_range(in, NULL, out, NULL, 100, 7));
	printf("%016lx\n", file_sum("lines.txt"));
	return system("cp big.bin by_cp && cmp big.bin by_cp && cp --sparse=always sparse.bin s2 && cmp sparse.bin s2");
}
