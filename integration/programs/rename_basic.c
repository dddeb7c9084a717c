/* rename: files, onto files, across directories, onto itself, and what it refuses. */
#include "say.h"

int main(void)
{
	struct stat before, after;
	MUST(stat("small.txt", &before));
	TRY(rename("small.txt", "renamed.txt"));
	MUST(stat("renamed.txt", &after));
	YES(same_file(&before, &after));
	YES(before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	show("small.txt");
	show("renamed.txt");
	TRY(rename("renamed.txt", "dir/sub/moved"));
	show("dir/sub/moved");
	TRY(rename("dir/sub/moved", "dir/a"));
	show("dir/a");
	TRY(rename("dir/a", "dir/a"));
	TRY(rename("hard1", "dir/hard2"));
	TRY(access("hard1", F_OK));
	TRY(rename("absent", "x"));
	TRY(rename("lines.txt", "absent/x"));
	TRY(rename("lines.txt", "dir"));
	TRY(rename("dir", "lines.txt"));
	TRY(rename("lines.txt", "empty/x"));
	TRY(rename("big.bin", "bigger.bin"));
	printf("%016lx\n", file_sum("bigger.bin"));
	TRY(rename("link", "dir/link"));
	show("dir/link");
	TRY(rename("dangling", "empty"));
	TRY(rename(".", "x"));
	TRY(rename("dir/..", "x"));
	TRY(renameat(AT_FDCWD, "lines.txt", MUST(open("dir", O_RDONLY)), "lines"));
	TRY(access("dir/lines", R_OK));
	return 0;
}
