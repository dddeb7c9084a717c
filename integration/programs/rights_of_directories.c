/* What each mode lets the owner do in a directory: list, look up, create, rename, remove. */
#include <dirent.h>
#include "say.h"

static const char *error_of(long result)
{
	return result < 0 ? strerrorname_np(errno) : "ok";
}

int main(void)
{
	struct stat st;
	for (int bits = 0; bits < 8; bits++) {
		MUST(mkdir("d", 0755));
		put("d/known", "x");
		put("d/victim", "x");
		MUST(mkdir("d/sub", 0755));
		put("outside", "x");
		MUST(chmod("d", bits << 6));
		printf("%d00:", bits);
		DIR *stream = opendir("d");
		printf(" list %s", stream ? "ok" : strerrorname_np(errno));
		printf(" stat %s", error_of(stat("d/known", &st)));
		printf(" absent %s", error_of(stat("d/absent", &st)));
		printf(" open %s", error_of(open("d/known", O_RDONLY)));
		printf(" create %s", error_of(open("d/new", O_CREAT | O_WRONLY, 0644)));
		printf(" creat-known %s", error_of(open("d/known", O_CREAT | O_WRONLY, 0644)));
		printf(" mkdir %s", error_of(mkdir("d/made", 0755)));
		printf(" mkdir-known %s", error_of(mkdir("d/known", 0755)));
		printf(" link %s", error_of(link("outside", "d/linked")));
		printf(" symlink %s", error_of(symlink("x", "d/symbolic")));
		printf(" rename-in %s", error_of(rename("outside", "d/moved")));
		printf(" rename-out %s", error_of(rename("d/known", "out")));
		printf(" unlink %s", error_of(unlink("d/victim")));
		printf(" unlink-absent %s", error_of(unlink("d/absent")));
		printf(" rmdir %s", error_of(rmdir("d/sub")));
		printf(" chdir %s", error_of(chdir("d") || chdir("..")));
		printf(" deep %s", error_of(stat("d/sub/..", &st)));
		printf(" tmpfile %s", error_of(open("d", O_TMPFILE | O_RDWR, 0600)));
		printf(" access %s\n", error_of(access("d", R_OK | W_OK | X_OK)));
		MUST(chmod("d", 0755));
		MUST(system("rm -rf d out outside"));
	}
	return 0;
}
