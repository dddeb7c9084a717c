/* RENAME_EXCHANGE swaps two names of any kind. */
#include "say.h"

int main(void)
{
	TRY(renameat2(AT_FDCWD, "small.txt", AT_FDCWD, "lines.txt", RENAME_EXCHANGE));
	show("lines.txt");
	TRY(renameat2(AT_FDCWD, "dir", AT_FDCWD, "lines.txt", RENAME_EXCHANGE));
	show("dir");
	show("lines.txt/sub/deep/leaf.txt");
	TRY(renameat2(AT_FDCWD, "link", AT_FDCWD, "empty", RENAME_EXCHANGE));
	show("empty");
	TRY(renameat2(AT_FDCWD, "link", AT_FDCWD, "absent", RENAME_EXCHANGE));
	TRY(renameat2(AT_FDCWD, "absent", AT_FDCWD, "link", RENAME_EXCHANGE));
	TRY(renameat2(AT_FDCWD, "tree/1", AT_FDCWD, "lines.txt/sub", RENAME_EXCHANGE));
	show("tree/1/deep/leaf.txt");
	show("lines.txt/sub/2/3/end");
	TRY(renameat2(AT_FDCWD, "tree", AT_FDCWD, "tree/1", RENAME_EXCHANGE));
	TRY(renameat2(AT_FDCWD, "link", AT_FDCWD, "small.txt", RENAME_EXCHANGE | RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "readonly.txt", AT_FDCWD, "emptydir/", RENAME_EXCHANGE));
	show("emptydir");
	TRY(renameat2(AT_FDCWD, "emptydir/", AT_FDCWD, "readonly.txt", RENAME_EXCHANGE));
	TRY(renameat2(AT_FDCWD, "emptydir", AT_FDCWD, "absent/", RENAME_EXCHANGE));
	TRY(rename("emptydir", "readonly.txt/"));
	TRY(renameat2(AT_FDCWD, "readonly.txt/", AT_FDCWD, "emptydir", RENAME_EXCHANGE));
	show("readonly.txt");
	return 0;
}
