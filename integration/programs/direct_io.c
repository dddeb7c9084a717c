/* O_DIRECT: aligned reads and writes give the same bytes as others; the flag can be set and seen. */
#include "say.h"

int main(void)
{
	char *block = NULL, *plain = malloc(65536);
	MUST(posix_memalign((void **)&block, 4096, 65536));
	int fd = MUST(open("big.bin", O_RDWR | O_DIRECT)), other = MUST(open("big.bin", O_RDWR));
	YES((fcntl(fd, F_GETFL) & O_DIRECT) != 0);
	VALUE(pread(fd, block, 65536, 1 << 20));
	MUST(pread(other, plain, 65536, 1 << 20));
	YES(memcmp(block, plain, 65536) == 0);
	memset(block, 'D', 8192);
	VALUE(pwrite(fd, block, 8192, 4096));
	VALUE(pread(other, plain, 8192, 4096));
	YES(memcmp(block, plain, 8192) == 0);
	MUST(pwrite(other, "plain", 5, 4096));
	VALUE(pread(fd, block, 4096, 4096));
	YES(memcmp(block, "plainDDD", 8) == 0);
	VALUE(pread(fd, block, 4096, 3 << 20));
	VALUE(pread(fd, block, 4096, 8 << 20));
	memset(block, 'B', 4096);
	int created = TRY(open("direct", O_RDWR | O_CREAT | O_DIRECT, 0644));
	VALUE(pwrite(created, block, 4096, 8192));
	TRY(fcntl(other, F_SETFL, O_DIRECT));
	YES((fcntl(other, F_GETFL) & O_DIRECT) != 0);
	TRY(fcntl(other, F_SETFL, 0));
	TRY(fcntl(other, F_SETFL, O_SYNC | O_NONBLOCK));
	YES((fcntl(other, F_GETFL) & (O_SYNC | O_NONBLOCK)) == O_NONBLOCK);
	int synced = TRY(open("synced", O_WRONLY | O_CREAT | O_SYNC, 0644));
	VALUE(write(synced, "x", 1));
	YES((fcntl(synced, F_GETFL) & O_SYNC) == O_SYNC);
	synced = TRY(open("synced", O_WRONLY | O_DSYNC));
	YES((fcntl(synced, F_GETFL) & O_SYNC) == O_DSYNC);
	return 0;
}
