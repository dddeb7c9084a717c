/* Record locks at their edges: ranges, splits and merges, failed upgrades, deadlock, refused. */
#include "say.h"

static int lock(int fd, int command, int type, int whence, long start, long length)
{
	struct flock what = { .l_type = type, .l_whence = whence, .l_start = start, .l_len = length };
	return fcntl(fd, command, &what);
}

/* What the parent holds, as another process sees it. */
static void held(const char *what)
{
	fflush(stdout);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		int fd = MUST(open("lines.txt", O_RDWR));
		long at = 0;
		printf("%s:", what);
		for (int i = 0; i < 20; i++) {
			struct flock ask = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at };
			MUST(fcntl(fd, F_GETLK, &ask));
			if (ask.l_type == F_UNLCK)
				break;
			printf(" %s[%ld+%ld]", ask.l_type == F_RDLCK ? "r" : "w", (long)ask.l_start, (long)ask.l_len);
			if (ask.l_len == 0)
				break;
			at = ask.l_start + ask.l_len;
		}
		printf("\n");
		exit(0);
	}
	waitpid(pid, NULL, 0);
}

int main(void)
{
	int fd = MUST(open("lines.txt", O_RDWR)), reader = MUST(open("lines.txt", O_RDONLY));
	TRY(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 100, 100));
	TRY(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 140, 10));
	held("split");
	TRY(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 150, 20));
	held("downgraded");
	TRY(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 130, 40));
	held("merged");
	MUST(lseek(fd, 1000, SEEK_SET));
	TRY(lock(fd, F_SETLK, F_RDLCK, SEEK_CUR, -10, 5));
	TRY(lock(fd, F_SETLK, F_RDLCK, SEEK_END, -100, 0));
	TRY(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 500, -50));
	held("relative");
	TRY(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, -1, 5));
	TRY(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 10, -20));
	TRY(lock(fd, F_SETLK, 7, SEEK_SET, 0, 1));
	TRY(lock(fd, F_SETLK, F_RDLCK, 9, 0, 1));
	TRY(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, INT64_MAX, 2));
	TRY(lock(reader, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
	TRY(lock(MUST(open("small.txt", O_WRONLY)), F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
	TRY(lock(-1, F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
	TRY(fcntl(fd, F_SETLK, 8));
	TRY(lock(MUST(open("dir", O_RDONLY)), F_SETLK, F_RDLCK, SEEK_SET, 0, 0));
	TRY(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
	held("nothing");
	int ready[2], go[2];
	char c;
	MUST(pipe(ready));
	MUST(pipe(go));
	MUST(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 0, 10));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		MUST(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 5, 10));
		MUST(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 50, 10));
		MUST(write(ready[1], "x", 1));
		MUST(read(go[0], &c, 1));
		exit(lock(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 5) < 0 && errno == EDEADLK);
	}
	MUST(read(ready[0], &c, 1));
	TRY(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 10));
	held("a failed upgrade keeps the old one");
	MUST(write(go[1], "x", 1));
	errno = 0;
	while (lock(fd, F_SETLKW, F_WRLCK, SEEK_SET, 50, 10) < 0 && errno == EINTR)
		;
	int mine = errno == EDEADLK, status;
	MUST(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
	MUST(waitpid(pid, &status, 0));
	printf("both wait, told of the deadlock: %d\n", mine + (WIFEXITED(status) && WEXITSTATUS(status)));
	held("left");
	return 0;
}
