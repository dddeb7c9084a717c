/* ELOOP in every call that follows links, after forty of them, and only then. */
#include <sys/vfs.h>
#include <sys/xattr.h>
#include "say.h"

int main(void)
{
	struct stat st;
	char from[32], to[32], text[10];
	TRY(open("loop1", O_RDONLY));
	TRY(open("loop1", O_RDWR | O_CREAT, 0644));
	TRY(open("loop1", O_RDWR | O_CREAT | O_EXCL, 0644));
	TRY(open("loop1", O_RDONLY | O_NOFOLLOW));
	TRY(open("loop1", O_PATH | O_NOFOLLOW));
	TRY(stat("loop1", &st));
	TRY(lstat("loop1", &st));
	TRY(stat("loop1/x", &st));
	TRY(lstat("loop1/x", &st));
	TRY(mkdir("loop1", 0755));
	TRY(mkdir("loop1/x", 0755));
	TRY(rmdir("loop1"));
	TRY(rmdir("loop1/x"));
	TRY(unlink("loop1/x"));
	TRY(chmod("loop1", 0644));
	TRY(lchown("loop1", -1, -1));
	TRY(chown("loop1", -1, -1));
	TRY(truncate("loop1", 0));
	TRY(access("loop1", F_OK));
	TRY(chdir("loop1"));
	TRY(link("loop1/x", "y"));
	TRY(link("small.txt", "loop1/y"));
	TRY(linkat(AT_FDCWD, "loop1", AT_FDCWD, "y", AT_SYMLINK_FOLLOW));
	TRY(linkat(AT_FDCWD, "loop1", AT_FDCWD, "y", 0));
	TRY(symlink("x", "loop1/y"));
	TRY(readlink("loop1/x", text, 10));
	TRY(rename("loop1/x", "z"));
	TRY(utimensat(AT_FDCWD, "loop1", NULL, 0));
	VALUE(getxattr("loop1", "user.x", text, 10));
	TRY(mkfifo("loop1/x", 0600));
	TRY(statfs("loop1", &(struct statfs){ 0 }));
	TRY(execl("loop1", "x", NULL));
	strcpy(to, "small.txt");
	for (int i = 1; i <= 42; i++) {
		snprintf(from, sizeof(from), "n%d", i);
		MUST(symlink(to, from));
		strcpy(to, from);
	}
	TRY(stat("n39", &st));
	TRY(stat("n40", &st));
	TRY(stat("n41", &st));
	TRY(lstat("n42", &st));
	TRY(open("n40", O_RDONLY));
	TRY(open("n41", O_RDONLY));
	return 0;
}
