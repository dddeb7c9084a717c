/* Extended attributes refused: names, name spaces, flags, links, rights, descriptors. */
#include <sys/xattr.h>
#include "say.h"

int main(void)
{
	char back[100];
	int path = MUST(open("small.txt", O_PATH)), read_only = MUST(open("small.txt", O_RDONLY));
	TRY(setxattr("small.txt", "", "x", 1, 0));
	TRY(setxattr("small.txt", "user.", "x", 1, 0));
	TRY(setxattr("small.txt", "user", "x", 1, 0));
	TRY(setxattr("small.txt", "unheard.of", "x", 1, 0));
	TRY(setxattr("small.txt", "user.x", "x", 1, XATTR_CREATE | XATTR_REPLACE));
	TRY(setxattr("small.txt", "user.x", "x", 1, 8));
	TRY(setxattr("small.txt", "user.x", NULL, 0, 0));
	TRY(setxattr("small.txt", "user.x", NOWHERE, 10, 0));
	TRY(setxattr("small.txt", NOWHERE, "x", 1, 0));
	VALUE(getxattr("small.txt", "user.x", NOWHERE, 100));
	VALUE(getxattr("small.txt", "trusted.x", back, 100));
	VALUE(getxattr("small.txt", "security.none", back, 100));
	VALUE(getxattr("small.txt", "unheard.of", back, 100));
	TRY(setxattr("small.txt", "security.x", "x", 1, 0));
	TRY(removexattr("small.txt", "trusted.x"));
	TRY(removexattr("small.txt", "user.none"));
	TRY(removexattr("small.txt", "user.x"));
	TRY(fsetxattr(path, "user.y", "x", 1, 0));
	VALUE(fgetxattr(path, "user.y", back, 100));
	TRY(fsetxattr(read_only, "user.y", "x", 1, 0));
	TRY(fsetxattr(-1, "user.y", "x", 1, 0));
	TRY(lsetxattr("dangling", "user.y", "x", 1, 0));
	VALUE(lgetxattr("dangling", "user.y", back, 100));
	VALUE(llistxattr("dangling", back, 100));
	TRY(setxattr("dangling", "user.y", "x", 1, 0));
	TRY(setxattr("readonly.txt", "user.y", "x", 1, 0));
	TRY(setxattr("secret.txt", "user.y", "x", 1, 0));
	VALUE(getxattr("secret.txt", "user.y", back, 100));
	VALUE(listxattr("secret.txt", back, 100));
	TRY(setxattr("loop1", "user.y", "x", 1, 0));
	TRY(setxattr("small.txt/x", "user.y", "x", 1, 0));
	MUST(mkfifo("pipe", 0600));
	TRY(setxattr("pipe", "user.y", "x", 1, 0));
	VALUE(getxattr("pipe", "user.y", back, 100));
	TRY(setxattr("/etc/passwd", "user.y", "x", 1, 0));
	return 0;
}
