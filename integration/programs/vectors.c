/* readv, writev, preadv, pwritev, preadv2 and their flags. */
#include <sys/uio.h>
#include "say.h"

int main(void)
{
	char a[8] = "", b[100] = "", c[8] = "";
	struct iovec in[3] = { { a, 3 }, { b, 90 }, { c, 4 } };
	struct iovec out[3] = { { "one ", 4 }, { "", 0 }, { "three", 5 } };
	int fd = MUST(open("lines.txt", O_RDWR));
	VALUE(readv(fd, in, 3));
	printf("%.3s|%.5s|%.4s\n", a, b, c);
	VALUE(lseek(fd, 0, SEEK_CUR));
	VALUE(writev(fd, out, 3));
	VALUE(preadv(fd, in, 3, 95));
	printf("%.3s|%.9s\n", a, b);
	VALUE(pwritev(fd, out, 3, 0));
	VALUE(preadv2(fd, in, 2, -1, 0));
	VALUE(lseek(fd, 0, SEEK_CUR));
	VALUE(pwritev2(fd, out, 3, 5, RWF_APPEND));
	VALUE(lseek(fd, 0, SEEK_END));
	VALUE(preadv2(fd, in, 3, 0, RWF_HIPRI) >= 0 || errno == EOPNOTSUPP);
	VALUE(pwritev2(fd, out, 3, 20, RWF_DSYNC));
	volatile int negative = -1;
	VALUE(readv(fd, in, negative));
	VALUE(readv(fd, NULL, 0));
	VALUE(preadv(fd, in, 3, -5));
	int big = MUST(open("big.bin", O_RDONLY));
	static char large[1 << 20];
	struct iovec wide[2] = { { large, sizeof(large) / 2 }, { large + sizeof(large) / 2, sizeof(large) / 2 } };
	VALUE(preadv(big, wide, 2, 70000));
	printf("%016lx\n", fnv(FNV_START, large, sizeof(large)));
	VALUE(preadv(big, wide, 2, 3 << 20));
	void *volatile nowhere = (void *)8;
	VALUE(pread(big, nowhere, 100, 0));
	VALUE(write(fd, nowhere, 100));
	return 0;
}
