/* Shared maps: writes reach the file, other maps, readers and children; msync; file bigger than the map. */
#include "say.h"

int main(void)
{
	char bytes[16] = "";
	int fd = MUST(open("big.bin", O_RDWR));
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 1 << 20);
	YES(map != MAP_FAILED);
	memcpy(map + 1000, "through the map", 15);
	MUST(pread(fd, bytes, 15, (1 << 20) + 1000));
	printf("%.15s\n", bytes);
	MUST(pwrite(fd, "by a write", 10, (1 << 20) + 70000));
	printf("%.10s\n", map + 70000);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		memcpy(map + 500000, "from the child", 14);
		_exit(0);
	}
	show_wait("child", pid);
	printf("%.14s\n", map + 500000);
	TRY(msync(map, 1 << 20, MS_SYNC));
	close(fd);
	memcpy(map + 900000, "after close", 11);
	TRY(munmap(map, 1 << 20));
	printf("%016lx\n", file_sum("big.bin"));
	fd = MUST(open("fresh.map", O_RDWR | O_CREAT, 0644));
	TRY(ftruncate(fd, 200000));
	map = mmap(NULL, 200000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 0; i < 200000; i += 1000)
		memcpy(map + i, "0123456789", 10);
	return 0;
}
