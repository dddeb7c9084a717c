/* What crosses an exec: descriptors without FD_CLOEXEC, their offsets, nothing else. */
#include "say.h"

int main(int argc, char **argv)
{
	char bytes[6] = "";
	if (argc > 1) {
		VALUE(read(10, bytes, 5));
		printf("%s\n", bytes);
		VALUE(read(11, bytes, 5));
		VALUE(lseek(12, 0, SEEK_CUR));
		VALUE(write(12, "child\n", 6));
		int count = 0;
		for (int fd = 0; fd < 1024; fd++)
			count += fcntl(fd, F_GETFD) >= 0;
		printf("open descriptors %d\n", count);
		return 0;
	}
	MUST(dup2(open("small.txt", O_RDONLY), 10));
	MUST(dup3(open("small.txt", O_RDONLY), 11, O_CLOEXEC));
	MUST(dup2(open("written", O_WRONLY | O_CREAT, 0644), 12));
	MUST(write(12, "parent\n", 7));
	for (int fd = 3; fd < 10; fd++)
		close(fd);
	MUST(read(10, bytes, 2));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		execl("/proc/self/exe", argv[0], "child", NULL);
		_exit(98);
	}
	show_wait("child", pid);
	show("written");
	VALUE(lseek(12, 0, SEEK_CUR));
	return 0;
}
