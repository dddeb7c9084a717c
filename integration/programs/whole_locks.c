/* flock: shared, exclusive, converted, inherited, duplicated, on directories, with record locks beside it. */
#include <sys/file.h>
#include "say.h"

static void others(const char *what)
{
	int fd = MUST(open("lines.txt", O_RDONLY));
	const char *shared = flock(fd, LOCK_SH | LOCK_NB) ? strerrorname_np(errno) : "ok";
	flock(fd, LOCK_UN);
	const char *exclusive = flock(fd, LOCK_EX | LOCK_NB) ? strerrorname_np(errno) : "ok";
	printf("%s: shared %s, exclusive %s\n", what, shared, exclusive);
	close(fd);
}

int main(void)
{
	int a = MUST(open("lines.txt", O_RDONLY)), b = MUST(open("lines.txt", O_RDWR)), twin = MUST(dup(a));
	others("free");
	TRY(flock(a, LOCK_SH));
	others("shared");
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(b, LOCK_EX | LOCK_NB));
	others("a failed conversion gives up its own");
	TRY(flock(twin, LOCK_EX | LOCK_NB));
	others("converted through a twin");
	TRY(close(a));
	others("one of two closed");
	pid_t pid = MUST(fork());
	if (pid == 0) {
		TRY(flock(twin, LOCK_SH));
		exit(0);
	}
	show_wait("child", pid);
	others("converted by a child");
	struct flock record = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	TRY(fcntl(b, F_SETLK, &record));
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(twin, LOCK_UN));
	TRY(flock(b, LOCK_UN));
	others("free again");
	TRY(flock(twin, LOCK_EX));
	pid = MUST(fork());
	if (pid == 0)
		_exit(0);
	show_wait("child", pid);
	others("after a child's end");
	TRY(close(twin));
	others("closed");
	int d = MUST(open("dir", O_RDONLY)), e = MUST(open("dir", O_RDONLY));
	TRY(flock(d, LOCK_EX));
	TRY(flock(e, LOCK_EX | LOCK_NB));
	TRY(flock(d, LOCK_UN));
	TRY(flock(e, LOCK_SH));
	TRY(flock(e, 0));
	TRY(flock(e, LOCK_SH | LOCK_EX));
	TRY(flock(e, 64));
	TRY(flock(-1, LOCK_SH));
	TRY(flock(MUST(open("/etc/passwd", O_RDONLY)), LOCK_SH));
	TRY(flock(MUST(open("readonly.txt", O_RDONLY)), LOCK_EX));
	MUST(mkfifo("pipe", 0600));
	TRY(flock(MUST(open("pipe", O_RDWR)), LOCK_EX));
	TRY(flock(MUST(open("new", O_WRONLY | O_CREAT, 0600)), LOCK_EX));
	return 0;
}
