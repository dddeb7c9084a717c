/* Where data and holes are after writes, truncation, punching, zeroing. */
#include <linux/falloc.h>
#include "say.h"

static void map(int fd)
{
	off_t at = 0, data, hole, end = lseek(fd, 0, SEEK_END);
	while (at < end) {
		data = lseek(fd, at, SEEK_DATA);
		if (data < 0) {
			printf(" hole to the end");
			break;
		}
		hole = lseek(fd, data, SEEK_HOLE);
		printf(" [%ld,%ld)", (long)data, (long)hole);
		at = hole;
	}
	printf(" of %ld\n", (long)end);
}

int main(void)
{
	static char block[65536];
	int fd = MUST(open("new", O_RDWR | O_CREAT, 0644));
	memset(block, 'd', sizeof(block));
	map(fd);
	MUST(pwrite(fd, block, 4096, 1 << 20));
	map(fd);
	MUST(ftruncate(fd, 4 << 20));
	map(fd);
	MUST(pwrite(fd, block, 65536, 65536));
	map(fd);
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536 + 8192, 4096));
	map(fd);
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 65536));
	map(fd);
	MUST(ftruncate(fd, (1 << 20) + 100));
	map(fd);
	VALUE(lseek(fd, (1 << 20) + 50, SEEK_DATA));
	VALUE(lseek(fd, (1 << 20) + 50, SEEK_HOLE));
	VALUE(lseek(fd, (1 << 20) + 100, SEEK_DATA));
	VALUE(lseek(fd, (1 << 20) + 100, SEEK_HOLE));
	VALUE(lseek(fd, -1, SEEK_DATA));
	VALUE(lseek(fd, 0, 17));
	VALUE(lseek(fd, -5, SEEK_SET));
	VALUE(lseek(fd, -5, SEEK_CUR));
	struct stat st;
	MUST(fstat(fd, &st));
	YES(st.st_blocks >= 8 && st.st_blocks <= 64);
	int empty = MUST(open("empty", O_RDONLY));
	VALUE(lseek(empty, 0, SEEK_DATA));
	VALUE(lseek(empty, 0, SEEK_HOLE));
	map(MUST(open("sparse.bin", O_RDONLY)));
	return 0;
}
