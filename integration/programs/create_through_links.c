/* O_CREAT, O_EXCL, O_NOFOLLOW and O_TRUNC where a symlink stands: dangling, chained, to a directory. */
#include "say.h"

int main(void)
{
	struct stat st;
	TRY(open("dangling", O_RDONLY));
	TRY(open("dangling", O_WRONLY));
	TRY(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644));
	TRY(open("dangling", O_CREAT | O_NOFOLLOW | O_WRONLY, 0644));
	TRY(stat("nowhere", &st));
	TRY(open("dangling", O_CREAT | O_WRONLY, 0640));
	TRY(stat("nowhere", &st));
	printf("%o\n", st.st_mode & 0777);
	TRY(lstat("dangling", &st));
	YES(S_ISLNK(st.st_mode));
	MUST(symlink("absent/x", "deep-dangling"));
	TRY(open("deep-dangling", O_CREAT | O_WRONLY, 0644));
	MUST(symlink("second", "first"));
	MUST(symlink("dir/third", "second"));
	MUST(symlink("../made-at-last", "dir/third"));
	TRY(open("first", O_CREAT | O_WRONLY, 0600));
	TRY(stat("made-at-last", &st));
	TRY(open("dirlink", O_CREAT | O_WRONLY, 0644));
	TRY(open("dirlink", O_CREAT | O_EXCL, 0644));
	TRY(open("dirlink/created", O_CREAT | O_EXCL | O_WRONLY, 0644));
	TRY(stat("dir/created", &st));
	TRY(open("link", O_WRONLY | O_TRUNC));
	show("small.txt");
	MUST(symlink("new/", "slashed"));
	TRY(open("slashed", O_CREAT | O_WRONLY, 0644));
	MUST(symlink(".", "here"));
	TRY(open("here/here/here/lines.txt", O_RDONLY));
	TRY(open("here", O_CREAT | O_WRONLY, 0644));
	TRY(unlink("dangling"));
	TRY(stat("nowhere", &st));
	TRY(open("link", O_PATH | O_NOFOLLOW | O_DIRECTORY));
	TRY(mknod("first", S_IFREG | 0600, 0));
	TRY(mkdir("second", 0755));
	return 0;
}
