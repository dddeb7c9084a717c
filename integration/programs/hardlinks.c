/* Hard links: one file, several names, one count. */
#include "say.h"

static void links(const char *name)
{
	struct stat st;
	MUST(lstat(name, &st));
	printf("%s has %ld names\n", name, (long)st.st_nlink);
}

int main(void)
{
	struct stat a, b;
	links("hard1");
	MUST(stat("hard1", &a));
	MUST(stat("dir/hard2", &b));
	YES(same_file(&a, &b));
	int fd = MUST(open("hard1", O_WRONLY | O_APPEND));
	VALUE(write(fd, "through one\n", 12));
	show("dir/hard2");
	TRY(link("small.txt", "second"));
	TRY(link("second", "dir/third"));
	links("small.txt");
	TRY(link("small.txt", "second"));
	TRY(link("dir", "dir2"));
	TRY(link("absent", "x"));
	TRY(link("link", "linklink"));
	links("linklink");
	TRY(linkat(AT_FDCWD, "link", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
	links("followed");
	MUST(lstat("linklink", &a));
	YES(S_ISLNK(a.st_mode));
	TRY(unlink("small.txt"));
	links("second");
	show("dir/third");
	TRY(rename("second", "dir/third"));
	links("second");
	TRY(chmod("dir/third", 0600));
	MUST(stat("followed", &a));
	printf("%o\n", a.st_mode & 07777);
	MUST(fstat(fd, &a));
	TRY(unlink("hard1"));
	TRY(unlink("dir/hard2"));
	MUST(fstat(fd, &a));
	printf("names left %ld\n", (long)a.st_nlink);
	return 0;
}
