/* Loops end with ELOOP after 40 links, not before. */
#include "say.h"

int main(void)
{
	struct stat st;
	char name[32], target[32];
	TRY(open("loop1", O_RDONLY));
	TRY(stat("loop1", &st));
	TRY(lstat("loop1", &st));
	TRY(stat("loop1/x", &st));
	TRY(chmod("loop1", 0600));
	TRY(open("loop1", O_WRONLY | O_CREAT, 0600));
	TRY(access("loop2", F_OK));
	MUST(symlink("small.txt", "s0"));
	for (int i = 1; i <= 40; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(target, sizeof(target), "s%d", i - 1);
		MUST(symlink(target, name));
	}
	TRY(stat("s39", &st));
	TRY(stat("s40", &st));
	MUST(symlink(".", "dot"));
	TRY(stat("dot/dot/dot/dot/small.txt", &st));
	TRY(rename("loop1", "loop3"));
	TRY(stat("loop2", &st));
	TRY(unlink("loop3"));
	TRY(stat("loop2", &st));
	return 0;
}
