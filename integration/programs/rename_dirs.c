/* Directories are renamed with all that is in them, listed or not, open or not. */
#include "say.h"

int main(void)
{
	struct stat st;
	int leaf = MUST(open("dir/sub/deep/leaf.txt", O_RDWR));
	TRY(rename("dir", "other"));
	show("other/sub/deep/leaf.txt");
	show("dir/a");
	show("dirlink/a");
	VALUE(write(leaf, "LEAF", 4));
	show("other/sub/deep/leaf.txt");
	TRY(rename("other", "other/sub/inside"));
	TRY(rename("other/sub", "emptydir"));
	show("emptydir/deep/leaf.txt");
	TRY(mkdir("other/sub", 0755));
	TRY(rename("emptydir", "other"));
	TRY(rename("emptydir", "other/sub"));
	TRY(stat("emptydir", &st));
	MUST(stat("other", &st));
	printf("links of other: %ld\n", (long)st.st_nlink);
	put("other/sub/deep/new", "new\n");
	TRY(rename("other/sub/deep", "deep"));
	MUST(stat("other/sub", &st));
	printf("links of other/sub: %ld\n", (long)st.st_nlink);
	show("deep/new");
	TRY(rename("tree", "tree2"));
	show("tree2/1/2/3/end");
	return 0;
}
