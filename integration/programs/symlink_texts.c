/* What a symlink holds: any text, its length as size, read in parts, changed only by a new one. */
#include "say.h"

int main(void)
{
	char text[5000], long_text[5000];
	struct stat st;
	memset(long_text, 'l', 4999);
	long_text[4095] = 0;
	TRY(symlink(long_text, "longest"));
	MUST(lstat("longest", &st));
	printf("size %ld mode %o\n", (long)st.st_size, st.st_mode);
	VALUE(readlink("longest", text, sizeof(text)));
	VALUE(readlink("longest", text, 10));
	TRY(stat("longest", &st));
	long_text[4095] = 'l';
	long_text[4096] = 0;
	TRY(symlink(long_text, "longer"));
	TRY(symlink("a//b/../c/", "odd"));
	long length = VALUE(readlink("odd", text, sizeof(text)));
	printf("%.*s\n", (int)length, text);
	TRY(symlink("x", "odd"));
	TRY(symlink("x", "small.txt"));
	TRY(symlink("../small.txt", "dir/up"));
	show("dir/up");
	TRY(rename("dir/up", "up"));
	show("up");
	VALUE(syscall(SYS_readlink, "link", text, -1));
	VALUE(readlink("link", NOWHERE, 10));
	VALUE(readlink("small.txt", text, 10));
	VALUE(readlink("dir", text, 10));
	VALUE(readlink("absent", text, 10));
	int fd = MUST(open("link", O_PATH | O_NOFOLLOW));
	VALUE(readlinkat(fd, "", text, 100));
	VALUE(readlinkat(AT_FDCWD, "", text, 100));
	TRY(fchmodat(AT_FDCWD, "link", 0, AT_SYMLINK_NOFOLLOW));
	TRY(lchown("link", getuid(), -1));
	TRY(unlink("link"));
	TRY(fstat(fd, &st));
	printf("links %ld\n", (long)st.st_nlink);
	VALUE(readlinkat(fd, "", text, 100));
	return 0;
}
