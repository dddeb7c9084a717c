/* mremap grows, moves and shrinks maps, of files too. */
#include "say.h"

int main(void)
{
	int fd = MUST(open("big.bin", O_RDONLY));
	unsigned char *map = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE, fd, 0);
	map = mremap(map, 65536, 2 << 20, MREMAP_MAYMOVE);
	YES(map != MAP_FAILED);
	printf("%016lx\n", fnv(FNV_START, map, 2 << 20));
	map = mremap(map, 2 << 20, 4096, 0);
	YES(map != MAP_FAILED);
	printf("%016lx\n", fnv(FNV_START, map, 4096));
	unsigned char *place = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	YES(mremap(map, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
	printf("%016lx\n", fnv(FNV_START, place, 4096));
	int out = MUST(open("grown", O_RDWR | O_CREAT, 0644));
	MUST(ftruncate(out, 4096));
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
	strcpy(shared, "first page");
	MUST(ftruncate(out, 3 * 4096));
	shared = mremap(shared, 4096, 3 * 4096, MREMAP_MAYMOVE);
	strcpy(shared + 8192, "third page");
	TRY(msync(shared, 3 * 4096, MS_SYNC));
	YES(mremap(shared + 1, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
	printf("%016lx\n", file_sum("grown"));
	return 0;
}
