/* Times set to the nanosecond: NOW, OMIT, before 1970, far ahead, links, refused. */
#include "say.h"

static void times(const char *name)
{
	struct stat st;
	MUST(lstat(name, &st));
	time_t now = time(NULL);
	for (int i = 0; i < 2; i++) {
		struct timespec at = i ? st.st_mtim : st.st_atim;
		if (labs(at.tv_sec - now) < 600)
			printf(" now");
		else
			printf(" %ld.%09ld", (long)at.tv_sec, at.tv_nsec);
	}
	printf("\n");
}

static int set(const char *name, long a, long an, long m, long mn, int flags)
{
	struct timespec both[2] = { { a, an }, { m, mn } };
	return utimensat(AT_FDCWD, name, both, flags);
}

int main(void)
{
	struct timespec both[2] = { { 7, 8 }, { 9, 10 } };
	TRY(set("small.txt", 1000000000, 123456789, 1100000000, 987654321, 0));
	times("small.txt");
	TRY(set("small.txt", 0, UTIME_OMIT, 0, UTIME_NOW, 0));
	times("small.txt");
	TRY(set("small.txt", 0, UTIME_NOW, 5, 999999999, 0));
	times("small.txt");
	TRY(set("small.txt", 0, UTIME_OMIT, 0, UTIME_OMIT, 0));
	times("small.txt");
	TRY(set("small.txt", -1000, 5, -1, 999999999, 0));
	times("small.txt");
	TRY(set("small.txt", 4000000000, 1, 5000000000, 2, 0));
	times("small.txt");
	TRY(set("small.txt", 1, 1000000000, 1, 1, 0));
	TRY(set("small.txt", 1, -1, 1, 1, 0));
	TRY(set("link", 100, 1, 200, 2, AT_SYMLINK_NOFOLLOW));
	times("link");
	times("small.txt");
	TRY(set("dangling", 1, 1, 1, 1, 0));
	TRY(set("dangling", 300, 1, 400, 2, AT_SYMLINK_NOFOLLOW));
	times("dangling");
	TRY(set("dir", 500, 5, 600, 6, 0));
	times("dir");
	TRY(set("absent", 0, UTIME_OMIT, 0, UTIME_OMIT, 0));
	TRY(set("readonly.txt", 1, 1, 1, 1, 0));
	TRY(utimensat(AT_FDCWD, "readonly.txt", NULL, 0));
	TRY(utimensat(AT_FDCWD, "small.txt", NULL, 0x8000));
	TRY(set("/etc/passwd", 1, 1, 1, 1, 0));
	TRY(utimensat(AT_FDCWD, "/etc/passwd", NULL, 0));
	int fd = MUST(open("lines.txt", O_RDONLY));
	TRY(futimens(fd, both));
	times("lines.txt");
	TRY(utimensat(MUST(open("lines.txt", O_PATH)), "", both, AT_EMPTY_PATH));
	TRY(futimens(MUST(open("lines.txt", O_PATH)), both));
	TRY(futimens(-1, both));
	TRY(syscall(SYS_utimensat, AT_FDCWD, NULL, both, 0));
	int writing = MUST(open("hard1", O_WRONLY));
	MUST(write(writing, "x", 1));
	TRY(futimens(writing, both));
	times("hard1");
	MUST(close(writing));
	times("hard1");
	times("dir/hard2");
	return 0;
}
