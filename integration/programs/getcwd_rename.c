/* The working directory follows its inode: renamed, removed, unreachable. */
#include "say.h"

static void where(const char *base)
{
	char cwd[PATH_MAX];
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		printf("getcwd: %s\n", strerrorname_np(errno));
	else
		printf("getcwd: %s\n", strncmp(cwd, base, strlen(base)) == 0 ? cwd + strlen(base) : "elsewhere");
}

int main(void)
{
	char base[PATH_MAX];
	MUST(getcwd(base, sizeof(base)) ? 0 : -1);
	int top = MUST(open(".", O_RDONLY));
	TRY(chdir("dir/sub/deep"));
	where(base);
	TRY(renameat(top, "dir", top, "other"));
	where(base);
	show("leaf.txt");
	TRY(chdir(".."));
	where(base);
	TRY(chdir("../.."));
	where(base);
	TRY(chdir("dirlink/sub"));
	TRY(rename("other", "dir"));
	TRY(chdir("dirlink/sub"));
	where(base);
	char name[PATH_MAX + 64];
	snprintf(name, sizeof(name), "%s/emptydir", base);
	TRY(chdir("../../emptydir"));
	TRY(rmdir(name) < 0 ? -1 : 0);
	where(base);
	TRY(open("x", O_WRONLY | O_CREAT, 0600));
	TRY(open(".", O_RDONLY));
	TRY(fchdir(top));
	where(base);
	TRY(chdir("small.txt"));
	TRY(chdir("absent"));
	TRY(fchdir(MUST(open("small.txt", O_RDONLY))));
	TRY(syscall(SYS_getcwd, base, 2));
	return 0;
}
