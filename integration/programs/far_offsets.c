/* Offsets beyond what a file can have: EFBIG, EINVAL, EOVERFLOW, and what still works. */
#include <sys/uio.h>
#include "say.h"

int main(void)
{
	char bytes[16];
	struct stat st;
	int fd = MUST(open("new", O_RDWR | O_CREAT, 0644));
	VALUE(pwrite(fd, "far", 3, 1l << 40));
	MUST(fstat(fd, &st));
	printf("%ld\n", (long)st.st_size);
	VALUE(pread(fd, bytes, 16, (1l << 40) - 4));
	YES(memcmp(bytes, "\0\0\0\0far", 7) == 0);
	TRY(ftruncate(fd, (1l << 40) + 1));
	VALUE(pwrite(fd, "x", 1, 1l << 45));
	VALUE(pwrite(fd, "x", 1, INT64_MAX));
	VALUE(pwrite(fd, "x", 1, -1));
	VALUE(pread(fd, bytes, 1, -1));
	VALUE(pread(fd, bytes, 1, INT64_MAX));
	VALUE(pread(fd, bytes, 1, 1l << 50));
	TRY(ftruncate(fd, 1l << 50));
	TRY(ftruncate(fd, INT64_MAX));
	TRY(truncate("new", 1l << 50));
	TRY(truncate("new", -1));
	VALUE(lseek(fd, 1l << 43, SEEK_SET));
	VALUE(lseek(fd, 1l << 50, SEEK_SET));
	VALUE(lseek(fd, INT64_MAX, SEEK_SET));
	VALUE(lseek(fd, INT64_MAX, SEEK_END));
	TRY(fallocate(fd, 0, 1l << 50, 4096));
	TRY(posix_fadvise(fd, 1l << 50, 4096, POSIX_FADV_DONTNEED));
	TRY(ftruncate(fd, 10));
	VALUE(lseek(fd, 0, SEEK_END));
	struct iovec none = { NULL, 0 }, bad = { NOWHERE, 10 }, negative = { bytes, (size_t)-1 };
	VALUE(writev(fd, &none, 1));
	VALUE(writev(fd, &none, 0));
	volatile int fewer = -1, more = 1025;
	VALUE(writev(fd, &none, fewer));
	VALUE(writev(fd, &none, more));
	VALUE(writev(fd, &bad, 1));
	VALUE(writev(fd, &negative, 1));
	VALUE(write(fd, NOWHERE, 10));
	VALUE(pread(fd, NOWHERE, 10, 0));
	VALUE(write(fd, bytes, 0));
	VALUE(write(MUST(open("small.txt", O_RDONLY)), bytes, 1));
	VALUE(read(MUST(open("small.txt", O_WRONLY)), bytes, 1));
	return 0;
}
