/* Which errno for which mistake, over all name calls. */
#include <dirent.h>
#include "say.h"

int main(void)
{
	struct stat st;
	TRY(mkdir("dir", 0755));
	TRY(mkdir("small.txt/x", 0755));
	TRY(mkdir("absent/x", 0755));
	TRY(mkdir("", 0755));
	TRY(mkdir("/", 0755));
	TRY(mkdir("newdir/", 0755));
	TRY(rmdir("dir"));
	TRY(rmdir("small.txt"));
	TRY(rmdir("absent"));
	TRY(rmdir("newdir/."));
	TRY(rmdir("newdir/.."));
	TRY(rmdir("newdir"));
	TRY(unlink("dir"));
	TRY(unlink("absent"));
	TRY(unlink("small.txt/"));
	TRY(unlink("small.txt/x"));
	TRY(unlink(""));
	TRY(link("small.txt", "dir"));
	TRY(link("small.txt", "absent/x"));
	TRY(symlink("x", "dir/a"));
	TRY(symlink("x", "absent/y"));
	TRY(symlink("x", "made-link/"));
	TRY(rename("dir", "emptydir/"));
	TRY(rename("emptydir/", "dir"));
	TRY(rename("small.txt", "emptydir/sub/"));
	TRY(rename("small.txt", "other/"));
	TRY(stat("emptydir/..", &st));
	TRY(stat("small.txt/.", &st));
	TRY(stat("small.txt/..", &st));
	TRY(stat("absent/..", &st));
	TRY(stat("dangling/..", &st));
	TRY(lstat("dangling/", &st));
	TRY(chdir("loop1"));
	TRY(mknod("device", S_IFCHR | 0600, 0x103));
	TRY(mknod("nodir", S_IFDIR | 0600, 0));
	TRY(open((char *)8, O_RDONLY));
	TRY(stat((char *)8, &st));
	TRY(stat("small.txt", (struct stat *)8));
	TRY(unlink((char *)-1));
	TRY(mkdir("/usr/hpool-not-allowed", 0755));
	TRY(open("/usr/hpool-not-allowed", O_WRONLY | O_CREAT, 0644));
	TRY(unlink("/usr/bin/env"));
	TRY(rename("small.txt", "/proc/x"));
	TRY(mkdir("/proc/x", 0755));
	return 0;
}
