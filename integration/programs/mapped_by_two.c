/* A shared mapping, write() and another process's mapping see each other at once. */
#include "say.h"

int main(void)
{
	int fd = MUST(open("lines.txt", O_RDWR)), other = MUST(open("dir/../lines.txt", O_RDWR));
	char *map = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), bytes[8] = "";
	int to[2], from[2];
	char c;
	MUST(pipe(to));
	MUST(pipe(from));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		char *mine = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, MUST(open("lines.txt", O_RDWR)), 0);
		MUST(read(to[0], &c, 1));
		printf("child sees %.4s\n", mine);
		memcpy(mine + 100, "from child", 10);
		MUST(write(from[1], "x", 1));
		MUST(read(to[0], &c, 1));
		printf("child sees %.6s\n", mine + 200);
		exit(0);
	}
	memcpy(map, "MAP!", 4);
	MUST(write(to[1], "x", 1));
	MUST(read(from[0], &c, 1));
	printf("parent sees %.10s\n", map + 100);
	MUST(pread(other, bytes, 4, 100));
	printf("read %.4s\n", bytes);
	MUST(pwrite(other, "pwrite", 6, 200));
	printf("map %.6s\n", map + 200);
	MUST(write(to[1], "x", 1));
	show_wait("child", pid);
	TRY(msync(map, 10000, MS_ASYNC));
	TRY(msync(map, 10000, MS_SYNC | MS_INVALIDATE));
	TRY(msync(map, 10000, MS_SYNC | MS_ASYNC));
	TRY(msync(map + 1, 10000, MS_SYNC));
	TRY(msync(map, 10000, 64));
	TRY(munmap(map + 4096, 4096));
	TRY(msync(map, 10000, MS_SYNC));
	TRY(mprotect(map, 4096, PROT_READ));
	YES(mmap(NULL, 100, PROT_WRITE, MAP_SHARED, MUST(open("lines.txt", O_RDONLY)), 0) == MAP_FAILED);
	YES(mmap(NULL, 100, PROT_READ, MAP_SHARED, MUST(open("lines.txt", O_WRONLY)), 0) == MAP_FAILED);
	YES(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	YES(mmap(NULL, 100, PROT_READ, MAP_SHARED, fd, 100) == MAP_FAILED);
	return 0;
}
