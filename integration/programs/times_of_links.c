/* A symlink's own times: set, kept while it is looked at, moved by reading its text. */
#include "say.h"

static struct stat look(void)
{
	struct stat st;
	MUST(lstat("link", &st));
	return st;
}

int main(void)
{
	struct timespec old[2] = { { 946684800, 499999999 }, { 946684800, 999999999 } };
	struct timespec only_modified[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
	struct timespec only_read[2] = { { 1000000000, 7 }, { 0, UTIME_OMIT } };
	char text[16];

	MUST(symlink("nowhere", "link"));
	YES(look().st_atim.tv_sec == look().st_mtim.tv_sec && look().st_atim.tv_nsec == look().st_mtim.tv_nsec);
	for (int round = 0; round < 3; round++) {
		MUST(utimensat(AT_FDCWD, "link", old, AT_SYMLINK_NOFOLLOW));
		printf("%ld %ld %ld\n", (long)look().st_atim.tv_sec, look().st_atim.tv_nsec,
		       (long)look().st_mtim.tv_sec);
		MUST(utimensat(AT_FDCWD, "link", only_modified, AT_SYMLINK_NOFOLLOW));
		printf("%ld %ld\n", (long)look().st_atim.tv_sec, look().st_atim.tv_nsec);
		MUST(utimensat(AT_FDCWD, "link", only_read, AT_SYMLINK_NOFOLLOW));
		printf("%ld %ld\n", (long)look().st_atim.tv_sec, look().st_atim.tv_nsec);
	}
	TRY(readlink("link", text, sizeof text));
	TRY(utimensat(AT_FDCWD, "link", old, 0));
	return 0;
}
