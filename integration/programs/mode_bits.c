/* The bits above 0777: set, kept, dropped by writing, owning and setgid directories. */
#include "say.h"

static void mode(const char *name)
{
	struct stat st;
	MUST(lstat(name, &st));
	printf("%s %o%s\n", name, st.st_mode & 07777, st.st_gid == getgid() ? "" : " other group");
}

int main(void)
{
	put("f", "x");
	TRY(chmod("f", 07777));
	mode("f");
	int fd = MUST(open("f", O_WRONLY));
	MUST(write(fd, "y", 1));
	mode("f");
	TRY(chmod("f", 06711));
	TRY(ftruncate(fd, 0));
	mode("f");
	TRY(chmod("f", 06711));
	TRY(chown("f", getuid(), getgid()));
	mode("f");
	TRY(chmod("f", 06611));
	TRY(chown("f", -1, -1));
	mode("f");
	TRY(chmod("f", 02640));
	MUST(write(fd, "y", 1));
	mode("f");
	TRY(chmod("dir", 02755));
	mode("dir");
	TRY(mkdir("dir/below", 0700));
	mode("dir/below");
	TRY(mkdir("dir/below/deeper", 01777));
	mode("dir/below/deeper");
	put("dir/below/file", "");
	mode("dir/below/file");
	TRY(mkfifo("dir/below/pipe", 02666));
	mode("dir/below/pipe");
	TRY(open("dir/below/special", O_CREAT | O_WRONLY, 06755));
	mode("dir/below/special");
	TRY(mkdir("emptydir/special", 07777));
	mode("emptydir/special");
	TRY(chmod("emptydir", 01755));
	mode("emptydir");
	TRY(rename("emptydir/special", "emptydir/own"));
	TRY(rmdir("emptydir/own"));
	TRY(chmod("dir", 0755));
	mode("dir");
	TRY(mkdir("dir/plain", 0755));
	mode("dir/plain");
	TRY(fchmod(fd, 0100000 | 0644));
	mode("f");
	TRY(fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
	TRY(chmod("dangling", 0600));
	TRY(chmod("/etc/passwd", 0600));
	TRY(chmod("/etc", 0700));
	TRY(fchmod(MUST(open("f", O_PATH)), 0600));
	return 0;
}
