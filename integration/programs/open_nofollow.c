/* O_NOFOLLOW refuses a last symlink only; with O_PATH it opens the link itself. */
#include "say.h"

int main(void)
{
	struct stat st;
	char text[64];
	TRY(open("small.txt", O_RDONLY | O_NOFOLLOW));
	TRY(open("link", O_RDONLY | O_NOFOLLOW));
	TRY(open("dangling", O_RDONLY | O_NOFOLLOW));
	TRY(open("dangling", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
	TRY(open("dirlink/a", O_RDONLY | O_NOFOLLOW));
	int l = TRY(open("link", O_PATH | O_NOFOLLOW));
	MUST(fstat(l, &st));
	YES(S_ISLNK(st.st_mode));
	long n = VALUE(readlinkat(l, "", text, sizeof(text)));
	printf("%.*s\n", (int)n, text);
	TRY(open("dangling", O_WRONLY | O_CREAT, 0644));
	show("nowhere");
	return 0;
}
