/* nftw over the whole tree: each thing once, depth first, links as links. */
#include <ftw.h>
#include "say.h"

static int kinds[16];
static long bytes;

static int visit(const char *name, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)name, (void)ftw;
	kinds[kind]++;
	if (kind == FTW_F)
		bytes += st->st_size;
	return 0;
}

int main(void)
{
	TRY(nftw(".", visit, 10, FTW_PHYS));
	printf("files %d directories %d links %d bytes %ld\n", kinds[FTW_F], kinds[FTW_D], kinds[FTW_SL], bytes);
	MUST(unlink("loop1")); /* following it would end the walk, sooner or later by the order of names */
	MUST(unlink("loop2"));
	memset(kinds, 0, sizeof(kinds));
	TRY(nftw(".", visit, 10, FTW_DEPTH));
	printf("files %d directories %d dangling %d\n", kinds[FTW_F], kinds[FTW_DP], kinds[FTW_SLN]);
	return system("find . -type f -size +100k | sort; find . -name 'leaf*' -newermt 2019-01-01; "
		      "find dir -mindepth 1 | sort; find . -samefile hard1 | sort; find . -empty | sort; "
		      "du -s --apparent-size -b dir/sub/deep/leaf.txt; grep -rl gamma . 2>/dev/null | sort");
}
