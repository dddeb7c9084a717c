/* Times to the nanosecond: set, kept, omitted, now, of symlinks. */
#include <utime.h>
#include "say.h"

static void times(const char *name)
{
	struct stat st;
	MUST(lstat(name, &st));
	printf("%s a %ld.%09ld m %ld.%09ld\n", name, st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
	       st.st_mtim.tv_nsec);
}

int main(void)
{
	struct timespec both[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
	struct timespec mtime_only[2] = { { 0, UTIME_OMIT }, { 1200000000, 1 } };
	struct timespec atime_only[2] = { { 1300000000, 2 }, { 0, UTIME_OMIT } };
	struct timespec old[2] = { { -1000, 500 }, { -2000, 999999999 } };
	struct timespec bad[2] = { { 0, 1000000000 }, { 0, 0 } };
	times("dir/sub/deep/leaf.txt");
	TRY(utimensat(AT_FDCWD, "small.txt", both, 0));
	times("small.txt");
	TRY(utimensat(AT_FDCWD, "small.txt", mtime_only, 0));
	TRY(utimensat(AT_FDCWD, "small.txt", atime_only, 0));
	times("small.txt");
	int fd = MUST(open("lines.txt", O_RDONLY));
	TRY(futimens(fd, both));
	times("lines.txt");
	TRY(utimensat(AT_FDCWD, "link", old, AT_SYMLINK_NOFOLLOW));
	times("link");
	times("small.txt");
	TRY(utimensat(AT_FDCWD, "dir", both, 0));
	times("dir");
	TRY(utimensat(AT_FDCWD, "empty", bad, 0));
	TRY(utimensat(AT_FDCWD, "absent", both, 0));
	struct utimbuf seconds = { 1400000000, 1500000000 };
	TRY(utime("empty", &seconds));
	times("empty");
	TRY(utimensat(AT_FDCWD, "emptydir", NULL, 0));
	struct stat st;
	MUST(stat("emptydir", &st));
	YES(labs(st.st_mtim.tv_sec - time(NULL)) < 3);
	int w = MUST(open("written", O_WRONLY | O_CREAT, 0644));
	MUST(write(w, "data", 4));
	TRY(futimens(w, both));
	close(w);
	times("written");
	return 0;
}
