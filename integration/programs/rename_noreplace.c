/* RENAME_NOREPLACE never overwrites. */
#include "say.h"

int main(void)
{
	TRY(renameat2(AT_FDCWD, "small.txt", AT_FDCWD, "lines.txt", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "small.txt", AT_FDCWD, "dangling", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "small.txt", AT_FDCWD, "fresh", RENAME_NOREPLACE));
	show("fresh");
	TRY(renameat2(AT_FDCWD, "dir", AT_FDCWD, "emptydir", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "dir", AT_FDCWD, "dir", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "dir", AT_FDCWD, "freshdir", RENAME_NOREPLACE));
	show("freshdir/a");
	TRY(renameat2(AT_FDCWD, "absent", AT_FDCWD, "x", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "fresh", AT_FDCWD, "x", 1u << 20));
	return 0;
}
