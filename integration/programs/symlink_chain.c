/* Chains of symlinks, relative and absolute, through directories. */
#include "say.h"

int main(void)
{
	char text[PATH_MAX], cwd[PATH_MAX];
	struct stat a, b;
	show("chain1");
	show("dirlink/../small.txt");
	show("dirlink/sub/../a");
	MUST(stat("chain1", &a));
	MUST(stat("small.txt", &b));
	YES(same_file(&a, &b));
	VALUE(readlink("chain1", text, sizeof(text)));
	VALUE(readlink("chain1", text, 3));
	VALUE(readlink("small.txt", text, sizeof(text)));
	VALUE(readlink("absent", text, sizeof(text)));
	TRY(symlink("dir/sub", "into"));
	show("into/deep/leaf.txt");
	show("into/../b");
	MUST(getcwd(cwd, sizeof(cwd)) == NULL ? -1 : 0);
	snprintf(text, sizeof(text), "%.4000s/dirlink/c", cwd);
	TRY(symlink(text, "absolute"));
	show("absolute");
	TRY(symlink("", "emptylink"));
	TRY(symlink("x", "small.txt"));
	TRY(lstat("dangling", &a));
	YES(S_ISLNK(a.st_mode));
	printf("length %ld\n", (long)a.st_size);
	TRY(stat("dangling", &a));
	TRY(unlink("link"));
	show("small.txt");
	TRY(mkdir("dangling", 0755));
	TRY(rmdir("dirlink"));
	TRY(unlink("dirlink/"));
	return 0;
}
