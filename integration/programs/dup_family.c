/* dup, dup2, dup3, F_DUPFD: one open file, several numbers. */
#include "say.h"

int main(void)
{
	char bytes[8];
	int fd = MUST(open("lines.txt", O_RDONLY | O_CLOEXEC));
	int two = TRY(dup(fd));
	VALUE(read(fd, bytes, 8));
	VALUE(lseek(two, 0, SEEK_CUR));
	YES(fcntl(two, F_GETFD) & FD_CLOEXEC);
	VALUE(dup2(fd, 100));
	YES(fcntl(100, F_GETFD) & FD_CLOEXEC);
	VALUE(dup2(fd, fd) == fd);
	VALUE(dup3(fd, 101, O_CLOEXEC));
	YES(fcntl(101, F_GETFD) & FD_CLOEXEC);
	VALUE(dup3(fd, fd, 0));
	VALUE(fcntl(fd, F_DUPFD, 200));
	VALUE(fcntl(fd, F_DUPFD_CLOEXEC, 200));
	TRY(close(fd));
	VALUE(read(100, bytes, 8));
	VALUE(lseek(101, 0, SEEK_CUR));
	VALUE(read(fd, bytes, 1));
	VALUE(dup(-1));
	VALUE(dup2(100, -1));
	VALUE(dup2(fd, 5));
	int file = MUST(open("redirected", O_WRONLY | O_CREAT | O_TRUNC, 0644));
	int saved = MUST(dup(1));
	MUST(dup2(file, 1));
	printf("into the file\n");
	MUST(dup2(saved, 1));
	printf("and back\n");
	show("redirected");
	VALUE(dup2(100, 1023));
	VALUE(read(1023, bytes, 4));
	return 0;
}
