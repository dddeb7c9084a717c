/* F_SETLEASE, F_NOTIFY and other rare fcntl commands. */
#include "say.h"
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY 1028
#endif

int main(void)
{
	uint64_t hint = 0;
	int fd = MUST(open("small.txt", O_RDONLY)), twin = MUST(dup(fd)), other, dir = MUST(open("dir", O_RDONLY));
	signal(SIGIO, SIG_IGN);
	VALUE(fcntl(fd, F_GETLEASE));
	TRY(fcntl(fd, F_SETLEASE, F_RDLCK));
	VALUE(fcntl(fd, F_GETLEASE));
	TRY(fcntl(fd, F_SETLEASE, F_UNLCK));
	VALUE(fcntl(fd, F_GETLEASE));
	other = MUST(open("small.txt", O_RDWR));
	TRY(fcntl(fd, F_SETLEASE, F_RDLCK));
	TRY(fcntl(fd, F_SETLEASE, 77));
	TRY(fcntl(dir, F_SETLEASE, F_RDLCK));
	TRY(fcntl(-1, F_SETLEASE, F_RDLCK));
	TRY(fcntl(other, 9999, 0));
	VALUE(fcntl(fd, F_DUPFD_QUERY, twin));
	VALUE(fcntl(fd, F_DUPFD_QUERY, other));
	/* before Linux 6.12 it is EINVAL: never "no" */
	YES(fcntl(MUST(open("made", O_RDWR | O_CREAT, 0644)), F_CREATED_QUERY) != 0);
	YES(fcntl(MUST(open("/tmp/made", O_RDWR | O_CREAT | O_EXCL, 0644)), F_CREATED_QUERY) != 0);
	MUST(unlink("/tmp/made"));
	TRY(fcntl(fd, F_GET_RW_HINT, &hint));
	TRY(fcntl(fd, F_ADD_SEALS, 1));
	TRY(fcntl(fd, F_GETPIPE_SZ));
	VALUE(fcntl(fd, F_GETFD));
	TRY(fcntl(fd, F_SETFD, FD_CLOEXEC));
	VALUE(fcntl(fd, F_GETFD));
	VALUE(fcntl(other, F_GETFL) & O_ACCMODE);
	TRY(fcntl(other, F_SETFL, O_APPEND));
	YES(fcntl(other, F_GETFL) & O_APPEND);
	VALUE(pwrite(other, "at the end", 10, 0));
	TRY(fcntl(other, F_SETFL, 0));
	VALUE(pwrite(other, "at the start", 12, 0));
	show("small.txt");
	TRY(fcntl(fd, F_DUPFD, -1));
	TRY(fcntl(fd, F_SETOWN, getpid()));
	YES(fcntl(fd, F_GETOWN) == getpid());
	return 0;
}
