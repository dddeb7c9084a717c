/* Open file description locks: two opens in one process conflict, a fork shares. */
#include "say.h"

static int lock(int fd, int cmd, int type, long start, long length)
{
	struct flock what = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
	return fcntl(fd, cmd, &what);
}

int main(void)
{
	int a = MUST(open("lines.txt", O_RDWR)), b = MUST(open("lines.txt", O_RDWR));
	TRY(lock(a, F_OFD_SETLK, F_WRLCK, 0, 100));
	TRY(lock(b, F_OFD_SETLK, F_WRLCK, 50, 100));
	TRY(lock(b, F_OFD_SETLK, F_WRLCK, 100, 100));
	TRY(lock(b, F_SETLK, F_WRLCK, 0, 10));
	struct flock ask = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	TRY(fcntl(b, F_OFD_GETLK, &ask));
	printf("type %d start %ld length %ld pid %d\n", ask.l_type, (long)ask.l_start, (long)ask.l_len, ask.l_pid);
	close(MUST(open("lines.txt", O_RDONLY)));
	TRY(lock(b, F_OFD_SETLK, F_WRLCK, 50, 10));
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(lock(a, F_OFD_SETLK, F_UNLCK, 0, 100) != 0);
	show_wait("child unlocks", pid);
	TRY(lock(b, F_OFD_SETLK, F_WRLCK, 50, 10));
	return 0;
}
