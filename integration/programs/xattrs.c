/* Extended attributes: set, get, list, replace, remove; by path, link and descriptor. */
#include <sys/xattr.h>
#include "say.h"

int main(void)
{
	char value[100], list[200];
	VALUE(getxattr("small.txt", "user.none", value, sizeof(value)));
	TRY(setxattr("small.txt", "user.colour", "green", 5, 0));
	VALUE(getxattr("small.txt", "user.colour", value, sizeof(value)));
	printf("%.5s\n", value);
	VALUE(getxattr("small.txt", "user.colour", NULL, 0));
	VALUE(getxattr("small.txt", "user.colour", value, 2));
	TRY(setxattr("small.txt", "user.colour", "x", 1, XATTR_CREATE));
	TRY(setxattr("small.txt", "user.other", "x", 1, XATTR_REPLACE));
	TRY(setxattr("link", "user.second", "", 0, XATTR_CREATE));
	int fd = MUST(open("small.txt", O_RDONLY));
	TRY(fsetxattr(fd, "user.third", "\0\1\2", 3, 0));
	long length = VALUE(flistxattr(fd, list, sizeof(list)));
	int names = 0;
	for (long i = 0; i < length; i++)
		names += list[i] == 0;
	printf("%d names\n", names);
	VALUE(listxattr("small.txt", list, 3));
	TRY(removexattr("small.txt", "user.colour"));
	TRY(fremovexattr(fd, "user.colour"));
	VALUE(fgetxattr(fd, "user.third", value, sizeof(value)));
	TRY(lsetxattr("link", "user.onlink", "x", 1, 0));
	TRY(setxattr("small.txt", "nonsense", "x", 1, 0));
	TRY(setxattr("small.txt", "trusted.x", "x", 1, 0));
	TRY(setxattr("absent", "user.x", "x", 1, 0));
	TRY(setxattr("dir", "user.ondir", "dir", 3, 0));
	VALUE(getxattr("dir", "user.ondir", value, sizeof(value)));
	put("fresh", "new file");
	TRY(setxattr("fresh", "user.fresh", "yes", 3, 0));
	TRY(rename("fresh", "renamed"));
	VALUE(getxattr("renamed", "user.fresh", value, sizeof(value)));
	return 0;
}
