/* RLIMIT_FSIZE: partial writes up to it, then SIGXFSZ or EFBIG; mappings and truncation too. */
#include <sys/resource.h>
#include <sys/uio.h>
#include "say.h"

static volatile sig_atomic_t signals;

static void caught(int signal)
{
	(void)signal;
	signals++;
}

int main(void)
{
	static char block[8192];
	struct rlimit limit = { 10000, 10000 };
	struct iovec parts[2] = { { block, 100 }, { block, 8000 } };
	off_t at = 0;
	int fd = MUST(open("new", O_RDWR | O_CREAT, 0644)), big = MUST(open("big.bin", O_RDWR));
	int source = MUST(open("big.bin", O_RDONLY)), append = MUST(open("log", O_WRONLY | O_CREAT | O_APPEND, 0644));
	signal(SIGXFSZ, caught);
	MUST(setrlimit(RLIMIT_FSIZE, &limit));
	VALUE(write(fd, block, 8192));
	VALUE(write(fd, block, 8192));
	VALUE(write(fd, block, 1));
	printf("signals %d\n", signals);
	VALUE(pwrite(fd, block, 100, 9990));
	VALUE(pwrite(fd, block, 100, 10000));
	VALUE(pwrite(fd, block, 100, 20000));
	VALUE(pwritev(fd, parts, 2, 5000));
	VALUE(pwrite(fd, block, 0, 20000));
	printf("signals %d\n", signals);
	TRY(ftruncate(fd, 10000));
	TRY(ftruncate(fd, 10001));
	TRY(truncate("new", 20000));
	TRY(truncate("big.bin", 2000000));
	TRY(fallocate(fd, 0, 0, 20000));
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20000));
	printf("signals %d\n", signals);
	VALUE(pwrite(big, block, 10, 0));
	VALUE(pwrite(big, block, 10, 1000000));
	VALUE(copy_file_range(source, &at, fd, &(off_t){ 9000 }, 5000, 0));
	VALUE(copy_file_range(source, &at, fd, &(off_t){ 11000 }, 5000, 0));
	for (int i = 0; i < 3; i++)
		VALUE(write(append, block, 4000));
	printf("signals %d\n", signals);
	lseek(fd, 0, SEEK_SET);
	VALUE(write(fd, block, 100));
	struct stat st;
	MUST(stat("new", &st));
	printf("size %ld\n", (long)st.st_size);
	return 0;
}
