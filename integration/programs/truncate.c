/* truncate and ftruncate: shorter, longer, refused, seen by others at once. */
#include "say.h"

static void size_of(const char *name)
{
	struct stat st;
	MUST(stat(name, &st));
	printf("%s %ld\n", name, (long)st.st_size);
}

int main(void)
{
	char bytes[32];
	TRY(truncate("small.txt", 7));
	show("small.txt");
	TRY(truncate("small.txt", 12));
	int fd = MUST(open("small.txt", O_RDWR));
	VALUE(read(fd, bytes, 32));
	YES(memcmp(bytes, "alpha\nb\0\0\0\0\0", 12) == 0);
	TRY(truncate("big.bin", 2 << 20));
	size_of("big.bin");
	printf("%016lx\n", file_sum("big.bin"));
	TRY(truncate("big.bin", 3 << 20));
	printf("%016lx\n", file_sum("big.bin"));
	int big = MUST(open("big.bin", O_RDWR));
	TRY(ftruncate(big, 1000));
	TRY(ftruncate(big, 100000));
	VALUE(pread(big, bytes, 32, 990));
	YES(bytes[9] != 0 || bytes[8] != 0);
	YES(bytes[10] == 0 && bytes[31] == 0);
	VALUE(write(big, "start", 5));
	size_of("big.bin");
	TRY(ftruncate(big, -1));
	TRY(truncate("absent", 0));
	TRY(truncate("dir", 0));
	TRY(truncate("readonly.txt", 0));
	TRY(ftruncate(MUST(open("lines.txt", O_RDONLY)), 0));
	TRY(truncate("link", 3));
	size_of("small.txt");
	VALUE(lseek(fd, 0, SEEK_END));
	TRY(ftruncate(fd, 0));
	VALUE(write(fd, "x", 1));
	size_of("small.txt");
	return 0;
}
