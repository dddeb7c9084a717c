/* renameat2: NOREPLACE, EXCHANGE of all kinds, WHITEOUT and nonsense refused. */
#include "say.h"
#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT 4
#endif

static int go(const char *from, const char *to, unsigned flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void kind(const char *name)
{
	struct stat st;
	if (lstat(name, &st))
		printf("%s %s\n", name, strerrorname_np(errno));
	else
		printf("%s %o %ld\n", name, st.st_mode >> 12, (long)st.st_nlink);
}

int main(void)
{
	TRY(go("small.txt", "lines.txt", RENAME_NOREPLACE));
	TRY(go("small.txt", "moved.txt", RENAME_NOREPLACE));
	TRY(go("absent", "new", RENAME_NOREPLACE));
	TRY(go("moved.txt", "dangling", RENAME_NOREPLACE));
	TRY(go("moved.txt", "moved.txt", RENAME_NOREPLACE));
	TRY(go("moved.txt", "dir", RENAME_EXCHANGE));
	kind("moved.txt");
	kind("dir");
	show("dir");
	show("moved.txt/a");
	TRY(go("moved.txt", "dir", RENAME_EXCHANGE));
	TRY(go("link", "tree", RENAME_EXCHANGE));
	kind("link");
	kind("tree");
	TRY(go("link", "tree", RENAME_EXCHANGE));
	TRY(go("dir", "dir/sub", RENAME_EXCHANGE));
	TRY(go("dir/sub", "dir", RENAME_EXCHANGE));
	TRY(go("tree/1", "dir/sub", RENAME_EXCHANGE));
	kind("tree/1/deep");
	kind("dir/sub/2");
	kind("tree");
	kind("dir");
	TRY(go("lines.txt", "absent", RENAME_EXCHANGE));
	TRY(go("absent", "lines.txt", RENAME_EXCHANGE));
	TRY(go("lines.txt", "lines.txt", RENAME_EXCHANGE));
	TRY(go("hard1", "dir/hard2", RENAME_EXCHANGE));
	TRY(go("lines.txt", "white", RENAME_WHITEOUT | RENAME_EXCHANGE));
	TRY(go("lines.txt", "white", RENAME_NOREPLACE | RENAME_EXCHANGE));
	TRY(go("lines.txt", "white", 8));
	TRY(go("dir", "emptydir", RENAME_NOREPLACE));
	TRY(go("emptydir", "fresh", RENAME_NOREPLACE));
	kind("fresh");
	return 0;
}
