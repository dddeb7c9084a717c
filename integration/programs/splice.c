/* splice, tee and vmsplice between files and pipes. */
#include <sys/uio.h>
#include "say.h"

int main(void)
{
	int p[2], q[2];
	static char bytes[65536];
	MUST(pipe(p));
	MUST(pipe(q));
	int in = MUST(open("big.bin", O_RDONLY)), out = MUST(open("copy", O_RDWR | O_CREAT, 0644));
	off_t from = 1234567, to = 4096;
	VALUE(splice(in, &from, p[1], NULL, 50000, 0));
	VALUE(tee(p[0], q[1], 50000, 0));
	VALUE(splice(p[0], NULL, out, &to, 50000, 0));
	printf("%ld %ld\n", (long)from, (long)to);
	VALUE(read(q[0], bytes, sizeof(bytes)));
	printf("%016lx\n", fnv(FNV_START, bytes, 50000));
	printf("%016lx\n", file_sum("copy"));
	struct iovec piece = { "by vmsplice", 11 };
	VALUE(vmsplice(p[1], &piece, 1, 0));
	VALUE(splice(p[0], NULL, out, NULL, 11, 0));
	printf("%016lx\n", file_sum("copy"));
	VALUE(splice(in, NULL, out, NULL, 10, 0));
	for (long left = 1 << 20; left > 0;) {
		long moved = MUST(splice(in, NULL, p[1], NULL, left < 60000 ? left : 60000, 0));
		for (long rest = moved; rest > 0;)
			rest -= MUST(splice(p[0], NULL, out, NULL, rest, 0));
		left -= moved;
	}
	printf("%016lx\n", file_sum("copy"));
	return 0;
}
