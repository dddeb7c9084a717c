/* After fork parent and child share one offset; two opens do not. */
#include "say.h"

int main(void)
{
	char bytes[8];
	int fd = MUST(open("lines.txt", O_RDONLY));
	MUST(read(fd, bytes, 5));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		MUST(read(fd, bytes, 8));
		MUST(lseek(fd, 100, SEEK_CUR));
		_exit(0);
	}
	show_wait("child", pid);
	VALUE(lseek(fd, 0, SEEK_CUR));
	int other = MUST(open("lines.txt", O_RDONLY));
	VALUE(lseek(other, 0, SEEK_CUR));
	int out = MUST(open("out", O_WRONLY | O_CREAT, 0644));
	for (int i = 0; i < 3; i++) {
		pid = MUST(fork());
		if (pid == 0)
			_exit(write(out, "abcdef" + i, 2) != 2);
		show_wait("writer", pid);
	}
	VALUE(lseek(out, 0, SEEK_CUR));
	show("out");
	return 0;
}
