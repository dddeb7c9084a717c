/* Named pipes between a program's processes. */
#include "say.h"

int main(void)
{
	char bytes[64];
	struct stat st;
	TRY(mkfifo("queue", 0640));
	TRY(mkfifo("queue", 0640));
	MUST(stat("queue", &st));
	YES(S_ISFIFO(st.st_mode));
	printf("%o\n", st.st_mode & 07777);
	TRY(open("queue", O_WRONLY | O_NONBLOCK));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		int fd = MUST(open("queue", O_WRONLY));
		MUST(write(fd, "through the fifo", 16));
		_exit(0);
	}
	int fd = TRY(open("queue", O_RDONLY));
	VALUE(read(fd, bytes, 64));
	printf("%.16s\n", bytes);
	show_wait("writer", pid);
	VALUE(read(fd, bytes, 64));
	VALUE(lseek(fd, 0, SEEK_CUR));
	TRY(rename("queue", "dir/queue"));
	int both = TRY(open("dir/queue", O_RDWR));
	VALUE(write(both, "x", 1));
	VALUE(read(both, bytes, 1));
	TRY(unlink("dir/queue"));
	TRY(mknod("kept", S_IFIFO | 0600, 0));
	return 0;
}
