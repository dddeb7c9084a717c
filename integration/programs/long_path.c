/* A tree deeper than PATH_MAX, built and walked by chdir and openat. */
#include "say.h"

int main(void)
{
	char name[201], cwd[PATH_MAX], path[PATH_MAX + 200];
	memset(name, 'd', 200);
	name[200] = 0;
	int top = MUST(open(".", O_RDONLY));
	for (int depth = 0; depth < 30; depth++) {
		MUST(mkdir(name, 0755));
		MUST(chdir(name));
	}
	put("bottom", "below everything\n");
	show("bottom");
	struct stat st;
	TRY(stat("../../bottom", &st));
	VALUE(syscall(SYS_getcwd, cwd, sizeof(cwd)));
	char large[8192];
	YES(getcwd(large, sizeof(large)) == NULL || strlen(large) > 6000);
	MUST(fchdir(top));
	int at = dup(top);
	for (int depth = 0; depth < 30; depth++)
		at = MUST(openat(at, name, O_RDONLY | O_DIRECTORY));
	TRY(openat(at, "bottom", O_RDONLY));
	memset(path, '/', sizeof(path));
	memcpy(path, "small.txt", 9);
	path[PATH_MAX + 10] = 0;
	TRY(stat(path, &st));
	memset(path, '/', sizeof(path));
	memcpy(path + PATH_MAX - 10, "etc/passw", 10);
	TRY(stat(path, &st));
	for (int i = 0; i < 2000; i++)
		memcpy(path + 2 * i, "./", 2);
	strcpy(path + 4000, "small.txt");
	TRY(stat(path, &st));
	TRY(renameat(top, name, top, "short"));
	TRY(unlinkat(at, "bottom", 0));
	return system("rm -r short");
}
