/* O_PATH: a place, not a file: no reading, but stat, openat, fchdir, and reopening through /proc. */
#include "say.h"

int main(void)
{
	char bytes[8], name[64];
	struct stat a, b;
	int p = TRY(open("small.txt", O_PATH));
	VALUE(read(p, bytes, 1));
	VALUE(write(p, bytes, 1));
	TRY(fchmod(p, 0600));
	TRY(ftruncate(p, 0));
	VALUE(lseek(p, 0, SEEK_SET));
	TRY(fstat(p, &a));
	TRY(stat("small.txt", &b));
	YES(same_file(&a, &b));
	YES(fcntl(p, F_GETFL) & O_PATH);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p);
	int again = open(name, O_RDONLY);
	YES(again >= 0);
	VALUE(read(again, bytes, 5));
	printf("%.5s\n", bytes);
	int d = TRY(open("dir", O_PATH | O_DIRECTORY));
	TRY(openat(d, "sub/deep/leaf.txt", O_RDONLY));
	TRY(fstatat(d, "b", &a, 0));
	int dup_ = TRY(dup(d));
	TRY(fchdir(dup_));
	TRY(access("sub/deep", F_OK));
	TRY(open("../secret.txt", O_PATH));
	TRY(open("../secret.txt", O_RDONLY));
	TRY(open("../absent", O_PATH));
	int x = TRY(open("../big.bin", O_PATH));
	MUST(fstat(x, &a));
	printf("%ld\n", (long)a.st_size);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", x);
	again = open(name, O_RDONLY);
	YES(again >= 0);
	VALUE(pread(again, bytes, 8, 3000000));
	return 0;
}
