/* Private maps: file content, copy on write, offsets, protections, after close and unlink. */
#include "say.h"

int main(void)
{
	int fd = MUST(open("big.bin", O_RDONLY));
	unsigned char *map = mmap(NULL, 3 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	YES(map != MAP_FAILED);
	printf("%016lx\n", fnv(FNV_START, map, 3 << 20));
	memset(map + 5000, 'x', 3000);
	unsigned char byte;
	MUST(pread(fd, &byte, 1, 5000));
	YES(byte != 'x');
	close(fd);
	MUST(unlink("big.bin"));
	printf("%016lx\n", fnv(FNV_START, map, 3 << 20));
	TRY(munmap(map + 4096, 4096));
	printf("%016lx\n", fnv(FNV_START, map + 8192, 100000));
	fd = MUST(open("lines.txt", O_RDONLY));
	char *part = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
	printf("%.9s\n", part + 4);
	YES(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 100) == MAP_FAILED && errno == EINVAL);
	YES(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	int writeonly = MUST(open("lines.txt", O_WRONLY));
	YES(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, writeonly, 0) == MAP_FAILED && errno == EACCES);
	YES(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED && errno == EBADF);
	int dir = MUST(open("dir", O_RDONLY));
	YES(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, dir, 0) == MAP_FAILED && errno == ENODEV);
	TRY(mprotect(part, 4096, PROT_READ | PROT_WRITE));
	part[0] = '!';
	show("small.txt");
	return 0;
}
