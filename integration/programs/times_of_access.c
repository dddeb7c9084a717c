/* Reading updates an old access time, and not a young one (relatime); O_NOATIME never does. */
#include <dirent.h>
#include "say.h"

static int is_recent(const char *name)
{
	struct stat st;
	MUST(stat(name, &st));
	return labs(st.st_atim.tv_sec - time(NULL)) < 600;
}

static void read_it(const char *name, int flags)
{
	char byte;
	int fd = MUST(open(name, flags));
	MUST(read(fd, &byte, 1));
	close(fd);
}

int main(void)
{
	struct timespec old_but_after[2] = { { 1700000000, 0 }, { 1600000000, 0 } };
	struct timespec only_mtime[2] = { { 0, UTIME_OMIT }, { 1650000000, 0 } };
	YES(is_recent("lines.txt"));
	read_it("lines.txt", O_RDONLY | O_NOATIME);
	YES(is_recent("lines.txt"));
	read_it("lines.txt", O_RDONLY);
	YES(is_recent("lines.txt"));
	MUST(utimensat(AT_FDCWD, "small.txt", old_but_after, 0));
	YES(is_recent("small.txt"));
	read_it("small.txt", O_RDONLY);
	YES(is_recent("small.txt"));
	MUST(truncate("small.txt", 17));
	YES(is_recent("small.txt"));
	MUST(truncate("small.txt", 100));
	YES(is_recent("small.txt"));
	MUST(utimensat(AT_FDCWD, "small.txt", only_mtime, 0));
	YES(is_recent("small.txt"));
	TRY(open("/etc/passwd", O_RDONLY | O_NOATIME));
	int fd = MUST(open("small.txt", O_RDONLY));
	TRY(fcntl(fd, F_SETFL, O_NOATIME));
	YES((fcntl(fd, F_GETFL) & O_NOATIME) != 0);
	return 0;
}
