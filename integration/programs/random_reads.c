/* Random reads all over a file of 50 MB; then a straight pass; then writes in the middle.
 * prepare: huge
 * timeout: 120
 */
#include "say.h"

int main(void)
{
	char bytes[5000];
	uint64_t state = 88172645463325252u, hash = FNV_START;
	int fd = MUST(open("huge.bin", O_RDWR));
	for (int i = 0; i < 2000; i++) {
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		long offset = state % (50 << 20);
		long got = MUST(pread(fd, bytes, 1 + (state >> 40) % sizeof(bytes), offset));
		hash = fnv(hash, bytes, got);
	}
	printf("random %016lx\n", hash);
	for (int i = 0; i < 100; i++) {
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		MUST(pwrite(fd, "written here", 12, state % (50 << 20)));
	}
	printf("whole %016lx\n", file_sum("huge.bin"));
	return 0;
}
