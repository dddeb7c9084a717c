/* rename: what may replace what, into itself, dots, slashes, two names of one file. */
#include "say.h"

int main(void)
{
	struct stat st;
	TRY(rename("tree", "tree/1/2/inside"));
	TRY(rename("tree", "tree"));
	TRY(rename("tree/1", "tree"));
	TRY(rename("tree/.", "x"));
	TRY(rename("tree/..", "x"));
	TRY(rename(".", "x"));
	TRY(rename("..", "x"));
	TRY(rename("small.txt", "."));
	TRY(rename("small.txt", "dir/.."));
	TRY(rename("dir", "tree"));
	TRY(rename("dir", "small.txt"));
	TRY(rename("small.txt", "emptydir"));
	TRY(rename("small.txt", "dir"));
	TRY(rename("dir", "link"));
	TRY(rename("dir", "dirlink/"));
	TRY(rename("small.txt", "small.txt/x"));
	TRY(rename("small.txt/", "x"));
	TRY(rename("small.txt", "x/"));
	TRY(rename("dirlink/", "x"));
	TRY(rename("absent", "x"));
	TRY(rename("absent/y", "x"));
	TRY(rename("", "x"));
	TRY(rename("small.txt", ""));
	TRY(rename("loop1/x", "x"));
	TRY(rename("small.txt", "loop1/x"));
	TRY(rename("hard1", "dir/hard2"));
	TRY(stat("hard1", &st));
	printf("links %ld\n", (long)st.st_nlink);
	TRY(rename("emptydir/", "renamed/"));
	TRY(rename("renamed", "tree/1/2/3"));
	TRY(rename("loop1", "loop2"));
	TRY(rename("dangling", "small.txt"));
	TRY(lstat("small.txt", &st));
	printf("link %d\n", S_ISLNK(st.st_mode));
	TRY(rename("/", "x"));
	TRY(rename("lines.txt", "/"));
	TRY(rename("lines.txt", "/proc/version"));
	return 0;
}
