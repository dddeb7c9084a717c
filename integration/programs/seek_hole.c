/* SEEK_DATA and SEEK_HOLE on a file that has holes at home and on one that has none. */
#include "say.h"

int main(void)
{
	char bytes[2];
	int s = MUST(open("sparse.bin", O_RDWR));
	VALUE(lseek(s, 0, SEEK_DATA));
	VALUE(lseek(s, 0, SEEK_HOLE));
	VALUE(lseek(s, 100000, SEEK_DATA));
	VALUE(lseek(s, 524288, SEEK_HOLE));
	VALUE(lseek(s, 600000, SEEK_DATA));
	VALUE(lseek(s, 600000, SEEK_HOLE));
	VALUE(lseek(s, 2000000, SEEK_DATA));
	VALUE(pread(s, bytes, 2, 4095));
	printf("%d %d\n", bytes[0], bytes[1]);
	printf("%016lx\n", file_sum("sparse.bin"));
	VALUE(lseek(s, 100000, SEEK_DATA));
	VALUE(pwrite(s, "now data", 8, 131072));
	VALUE(lseek(s, 100000, SEEK_DATA));
	int b = MUST(open("big.bin", O_RDONLY));
	VALUE(lseek(b, 0, SEEK_DATA));
	VALUE(lseek(b, 0, SEEK_HOLE));
	VALUE(lseek(b, 1000000, SEEK_DATA));
	int e = MUST(open("empty", O_RDONLY));
	VALUE(lseek(e, 0, SEEK_DATA));
	VALUE(lseek(e, 0, SEEK_HOLE));
	return 0;
}
