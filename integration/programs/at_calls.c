/* The *at calls with directory descriptors, absolute names, bad descriptors, "..", and after a rename. */
#include "say.h"

int main(void)
{
	struct stat st;
	char text[64];
	int d = MUST(open("dir", O_RDONLY | O_DIRECTORY)), file = MUST(open("small.txt", O_RDONLY));
	TRY(openat(d, "a", O_RDONLY));
	TRY(openat(d, "new", O_WRONLY | O_CREAT | O_EXCL, 0644));
	TRY(openat(file, "a", O_RDONLY));
	TRY(openat(99, "a", O_RDONLY));
	TRY(openat(99, "/etc/passwd", O_RDONLY));
	TRY(mkdirat(d, "made", 0755));
	TRY(mknodat(d, "node", S_IFREG | 0600, 0));
	TRY(symlinkat("a", d, "sym"));
	VALUE(readlinkat(d, "sym", text, sizeof(text)));
	TRY(linkat(d, "a", d, "made/hard", 0));
	TRY(renameat(d, "b", d, "made/b"));
	TRY(unlinkat(d, "node", 0));
	TRY(unlinkat(d, "made", 0));
	TRY(unlinkat(d, "made", AT_REMOVEDIR));
	TRY(fstatat(d, "sym", &st, AT_SYMLINK_NOFOLLOW));
	YES(S_ISLNK(st.st_mode));
	TRY(fchmodat(d, "a", 0600, 0));
	TRY(fchownat(d, "a", -1, -1, 0));
	TRY(utimensat(d, "a", NULL, 0));
	TRY(faccessat(d, "sub/deep/leaf.txt", R_OK, 0));
	TRY(mkfifoat(d, "fifo", 0600));
	TRY(rename("dir", "moved"));
	TRY(openat(d, "a", O_RDONLY));
	TRY(openat(d, "after", O_WRONLY | O_CREAT, 0644));
	TRY(openat(d, "../small.txt", O_RDONLY));
	TRY(openat(d, "../../../../../../../../../../etc/passwd", O_RDONLY));
	TRY(access("moved/after", F_OK));
	TRY(unlinkat(AT_FDCWD, "dirlink", 0));
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(openat(d, "sub/deep/leaf.txt", O_RDONLY) < 0);
	show_wait("child", pid);
	return 0;
}
