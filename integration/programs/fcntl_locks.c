/* POSIX record locks: ranges, owners, conflicts seen by F_GETLK, lost at any close. */
#include "say.h"

static int lock(int fd, int cmd, int type, long start, long length)
{
	struct flock what = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
	return fcntl(fd, cmd, &what);
}

static void child_tries(const char *what, int type, long start, long length)
{
	pid_t pid = MUST(fork());
	if (pid == 0) {
		int fd = MUST(open("lines.txt", O_RDWR));
		struct flock ask = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
		int got = lock(fd, F_SETLK, type, start, length);
		printf("%s: %s", what, got < 0 ? strerrorname_np(errno) : "ok");
		if (got < 0) {
			MUST(fcntl(fd, F_GETLK, &ask));
			printf(", held %s from %ld length %ld by %s", ask.l_type == F_RDLCK ? "read" : "write",
			       (long)ask.l_start, (long)ask.l_len, ask.l_pid == getppid() ? "parent" : "a stranger");
		}
		printf("\n");
		exit(0);
	}
	waitpid(pid, NULL, 0);
}

int main(void)
{
	int fd = MUST(open("lines.txt", O_RDWR));
	TRY(lock(fd, F_SETLK, F_WRLCK, 100, 50));
	child_tries("inside", F_RDLCK, 120, 1);
	child_tries("before", F_WRLCK, 0, 100);
	child_tries("whole", F_WRLCK, 0, 0);
	TRY(lock(fd, F_SETLK, F_RDLCK, 100, 50));
	child_tries("shared", F_RDLCK, 120, 10);
	child_tries("exclusive", F_WRLCK, 120, 10);
	TRY(lock(fd, F_SETLK, F_UNLCK, 110, 10));
	child_tries("in the gap", F_WRLCK, 110, 10);
	child_tries("after the gap", F_WRLCK, 115, 10);
	close(MUST(open("lines.txt", O_RDONLY)));
	child_tries("after any close", F_WRLCK, 0, 0);
	TRY(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	TRY(lockf(fd, F_TEST, 10));
	int gate[2];
	MUST(pipe(gate));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		int mine = MUST(open("lines.txt", O_RDWR));
		MUST(write(gate[1], "x", 1));
		MUST(lock(mine, F_SETLKW, F_WRLCK, 0, 10));
		printf("child got it\n");
		_exit(0);
	}
	char byte;
	MUST(read(gate[0], &byte, 1));
	usleep(50000);
	printf("parent unlocks\n");
	MUST(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	show_wait("child", pid);
	TRY(lock(MUST(open("small.txt", O_RDONLY)), F_SETLK, F_WRLCK, 0, 0));
	return 0;
}
