/* posix_fadvise, readahead and sync_file_range: accepted, refused, and without effect on the bytes. */
#include "say.h"

int main(void)
{
	int fd = MUST(open("big.bin", O_RDWR)), ends[2];
	uint64_t before = file_sum("big.bin");
	MUST(pipe(ends));
	for (int advice = 0; advice < 8; advice++)
		printf("advice %d: %d\n", advice, posix_fadvise(fd, 0, 0, advice));
	printf("%d\n", posix_fadvise(fd, 1 << 20, 65536, POSIX_FADV_DONTNEED));
	printf("%d\n", posix_fadvise(fd, -1, 10, POSIX_FADV_NORMAL));
	printf("%d\n", posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL));
	printf("%d\n", posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL));
	printf("%d\n", posix_fadvise(-1, 0, 0, POSIX_FADV_NORMAL));
	TRY(readahead(fd, 0, 1 << 20));
	TRY(readahead(ends[0], 0, 4096));
	TRY(readahead(MUST(open("small.txt", O_WRONLY)), 0, 4096));
	TRY(readahead(-1, 0, 4096));
	MUST(pwrite(fd, "synced", 6, 100));
	TRY(sync_file_range(fd, 0, 4096, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	TRY(sync_file_range(fd, 0, 0, 0));
	TRY(sync_file_range(fd, -1, 0, 0));
	TRY(sync_file_range(fd, 0, -1, 0));
	TRY(sync_file_range(fd, 0, 0, 64));
	TRY(sync_file_range(ends[0], 0, 0, 0));
	TRY(sync_file_range(-1, 0, 0, 0));
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	TRY(fsync(MUST(open("dir", O_RDONLY))));
	TRY(fsync(MUST(open("small.txt", O_RDONLY))));
	TRY(fsync(ends[0]));
	TRY(fsync(-1));
	TRY(syncfs(fd));
	TRY(syncfs(-1));
	sync();
	MUST(pwrite(fd, "", 0, 100));
	YES(file_sum("big.bin") != before);
	return 0;
}
