/* The current directory is removed, renamed, made unreadable: what still works in it. */
#include <dirent.h>
#include "say.h"

int main(void)
{
	char path[PATH_MAX];
	struct stat st;
	MUST(mkdir("d", 0755));
	MUST(chdir("d"));
	MUST(rename("../d", "../renamed"));
	MUST(getcwd(path, sizeof(path)) ? 0 : -1);
	printf("%s\n", strrchr(path, '/'));
	put("in", "x");
	TRY(stat("../renamed/in", &st));
	TRY(unlink("in"));
	TRY(rmdir("../renamed"));
	TRY(getcwd(path, sizeof(path)) ? 0 : -1);
	TRY(stat(".", &st));
	printf("links %ld\n", (long)st.st_nlink);
	TRY(stat("..", &st));
	TRY(open(".", O_RDONLY));
	TRY(open("new", O_CREAT | O_WRONLY, 0644));
	TRY(mkdir("new", 0755));
	TRY(symlink("x", "new"));
	TRY(link("/etc/passwd", "new"));
	TRY(stat("absent", &st));
	TRY(rmdir("../renamed"));
	TRY(access(".", W_OK));
	DIR *stream = opendir(".");
	int names = 0;
	while (stream && readdir(stream))
		names++;
	printf("names %d\n", names);
	TRY(rename(".", "x"));
	TRY(chdir("."));
	TRY(chdir(".."));
	TRY(stat("lines.txt", &st));
	MUST(mkdir("e", 0755));
	MUST(chdir("e"));
	put("f", "content\n");
	MUST(chmod(".", 0));
	TRY(open("f", O_RDONLY));
	TRY(stat(".", &st));
	TRY(stat("..", &st));
	TRY(opendir(".") ? 0 : -1);
	TRY(getcwd(path, sizeof(path)) ? 0 : -1);
	TRY(chmod(".", 0700));
	show("f");
	MUST(mkdir("a", 0755));
	MUST(mkdir("a/b", 0755));
	MUST(mkdir("a/b/c", 0755));
	MUST(chdir("a/b/c"));
	TRY(rmdir("../c"));
	TRY(stat("..", &st));
	put("../beside", "x");
	TRY(rename("../beside", "../../above"));
	TRY(unlink("../../above"));
	TRY(rmdir("../../b"));
	TRY(open("../new", O_CREAT | O_WRONLY, 0644));
	TRY(rmdir("../../../a"));
	TRY(stat("../../../f", &st));
	TRY(stat("../absent", &st));
	TRY(open("../../../g", O_CREAT | O_WRONLY, 0644));
	return 0;
}
