/* A directory's times change with its names, not with what the names stand for. */
#include "say.h"

static int later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

#define CHANGES(expression) \
	do { \
		struct stat d_, e_, d2_, e2_; \
		MUST(stat("dir", &d_)); \
		MUST(stat("emptydir", &e_)); \
		usleep(12000); \
		errno = 0; \
		int failed_ = (expression) < 0; \
		const char *error_ = failed_ ? strerrorname_np(errno) : "ok"; \
		MUST(stat("dir", &d2_)); \
		MUST(stat("emptydir", &e2_)); \
		printf("%s: %s dir%s%s emptydir%s%s\n", #expression, error_, \
		       later(d2_.st_mtim, d_.st_mtim) ? " mtime" : "", later(d2_.st_ctim, d_.st_ctim) ? " ctime" : "", \
		       later(e2_.st_mtim, e_.st_mtim) ? " mtime" : "", \
		       later(e2_.st_ctim, e_.st_ctim) ? " ctime" : ""); \
	} while (0)

int main(void)
{
	int fd;
	CHANGES(fd = open("dir/new", O_CREAT | O_RDWR, 0644));
	CHANGES(write(fd, "x", 1));
	CHANGES(open("dir/new", O_CREAT | O_RDWR, 0644));
	CHANGES(open("dir/new", O_CREAT | O_EXCL, 0644));
	CHANGES(open("dir/new", O_TRUNC | O_RDWR, 0644));
	CHANGES(chmod("dir/new", 0600));
	CHANGES(link("dir/new", "emptydir/linked"));
	CHANGES(rename("dir/new", "dir/newer"));
	CHANGES(rename("dir/newer", "emptydir/newer"));
	CHANGES(rename("emptydir/linked", "emptydir/newer"));
	CHANGES(unlink("emptydir/linked"));
	CHANGES(unlink("emptydir/absent"));
	CHANGES(mkdir("emptydir/m", 0755));
	CHANGES(mkdir("emptydir/m", 0755));
	CHANGES(mkdir("emptydir/m/n", 0755));
	CHANGES(rmdir("emptydir/m"));
	CHANGES(rmdir("emptydir/m/n"));
	CHANGES(rename("emptydir/m", "dir/m"));
	CHANGES(rmdir("dir/m"));
	CHANGES(symlink("x", "dir/s"));
	CHANGES(mkfifo("dir/p", 0600));
	CHANGES(renameat2(AT_FDCWD, "dir/p", AT_FDCWD, "emptydir/newer", RENAME_EXCHANGE));
	CHANGES(chmod("dir", 0700));
	CHANGES(open("dir", O_TMPFILE | O_RDWR, 0600));
	return 0;
}
