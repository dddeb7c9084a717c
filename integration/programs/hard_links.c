/* Hard links: counts seen by every name and descriptor, in any order of removal. */
#include "say.h"

static void count(const char *what, int fd)
{
	struct stat st;
	MUST(fstat(fd, &st));
	printf("%s: %ld\n", what, (long)st.st_nlink);
}

int main(void)
{
	struct stat a, b;
	int fd = MUST(open("small.txt", O_RDWR));
	count("one", fd);
	TRY(link("small.txt", "two"));
	TRY(link("two", "dir/three"));
	count("three", fd);
	MUST(stat("dir/three", &a));
	MUST(stat("small.txt", &b));
	YES(same_file(&a, &b) && a.st_nlink == 3 && b.st_nlink == 3);
	TRY(unlink("small.txt"));
	count("two", fd);
	MUST(pwrite(fd, "ALPHA", 5, 0));
	show("two");
	show("dir/three");
	TRY(link("link", "hard-symlink"));
	MUST(lstat("hard-symlink", &a));
	MUST(lstat("link", &b));
	YES(S_ISLNK(a.st_mode) && same_file(&a, &b) && a.st_nlink == 2);
	TRY(linkat(AT_FDCWD, "chain1", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
	TRY(link("two", "dir/three"));
	TRY(link("dir", "dir2"));
	TRY(link("absent", "x"));
	TRY(linkat(AT_FDCWD, "two", AT_FDCWD, "x", 0x8000));
	TRY(linkat(fd, "", AT_FDCWD, "by-descriptor", AT_EMPTY_PATH));
	MUST(mkfifo("pipe", 0600));
	TRY(link("pipe", "pipe2"));
	MUST(stat("pipe2", &a));
	printf("pipe %ld\n", (long)a.st_nlink);
	TRY(rename("two", "dir/three"));
	count("same file renamed", fd);
	TRY(rename("two", "hard1"));
	count("over another's name", fd);
	MUST(stat("dir/hard2", &a));
	printf("the other: %ld\n", (long)a.st_nlink);
	TRY(unlink("hard1"));
	TRY(unlink("dir/three"));
	count("none", fd);
	MUST(stat("dir", &a));
	MUST(mkdir("dir/one-more", 0755));
	MUST(stat("dir", &b));
	printf("a directory's: +%ld\n", (long)(b.st_nlink - a.st_nlink));
	MUST(rename("dir/one-more", "tree/moved"));
	MUST(stat("dir", &b));
	printf("moved away: +%ld\n", (long)(b.st_nlink - a.st_nlink));
	MUST(stat("tree", &a));
	printf("tree: %ld\n", (long)a.st_nlink);
	return 0;
}
