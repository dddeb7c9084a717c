/* Other people's files: nothing of them can be changed, and how each call says so. */
#include "say.h"

int main(void)
{
	struct stat st;
	TRY(open("/etc/passwd", O_WRONLY));
	TRY(open("/etc/passwd", O_RDWR | O_CREAT, 0644));
	TRY(open("/etc/passwd", O_WRONLY | O_CREAT | O_EXCL, 0644));
	TRY(open("/etc/hpool-new", O_WRONLY | O_CREAT, 0644));
	TRY(truncate("/etc/passwd", 0));
	TRY(chmod("/etc/passwd", 0644));
	TRY(chown("/etc/passwd", getuid(), -1));
	TRY(lchown("/etc/passwd", -1, getgid()));
	TRY(unlink("/etc/passwd"));
	TRY(unlink("/etc/absent"));
	TRY(rmdir("/etc"));
	TRY(rmdir("/usr/bin"));
	TRY(rename("/etc/passwd", "mine"));
	TRY(rename("small.txt", "/etc/hpool-new"));
	TRY(rename("small.txt", "/etc/passwd"));
	TRY(mkdir("/etc/hpool-new", 0755));
	TRY(mkdir("/etc", 0755));
	TRY(symlink("x", "/etc/hpool-new"));
	TRY(symlink("x", "/etc/passwd"));
	TRY(mkfifo("/etc/hpool-new", 0600));
	TRY(link("small.txt", "/etc/hpool-new"));
	TRY(open("/etc", O_TMPFILE | O_RDWR, 0600));
	TRY(stat("/etc/passwd", &st));
	YES(st.st_uid == 0);
	TRY(chown("small.txt", 0, -1));
	TRY(chown("small.txt", -1, 0));
	TRY(chown("small.txt", getuid(), -1));
	TRY(chown("small.txt", -1, getgid()));
	TRY(fchownat(AT_FDCWD, "link", getuid(), getgid(), AT_SYMLINK_NOFOLLOW));
	TRY(fchownat(AT_FDCWD, "small.txt", 0, 0, 0x40));
	TRY(fchown(MUST(open("/etc/passwd", O_RDONLY)), getuid(), -1));
	TRY(fchmod(MUST(open("/etc/passwd", O_RDONLY)), 0600));
	TRY(ftruncate(MUST(open("/etc/passwd", O_RDONLY)), 0));
	return 0;
}
