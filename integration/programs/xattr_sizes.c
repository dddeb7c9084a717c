/* Extended attributes of every size: empty, long, too long; what fits is what home can hold. */
#include <sys/xattr.h>
#include "say.h"

static char value[70000], back[70000];

int main(void)
{
	char name[300] = "user.";
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = i * 7 + i / 256;
	put("f", "x");
	TRY(setxattr("f", "user.empty", "", 0, 0));
	VALUE(getxattr("f", "user.empty", back, 10));
	TRY(setxattr("f", "user.long", value, 3000, 0));
	VALUE(getxattr("f", "user.long", NULL, 0));
	VALUE(getxattr("f", "user.long", back, 2999));
	VALUE(getxattr("f", "user.long", back, sizeof(back)));
	YES(memcmp(value, back, 3000) == 0);
	TRY(setxattr("f", "user.longer", value, 65537, 0));
	memset(name + 5, 'n', 250);
	TRY(setxattr("f", name, "x", 1, 0));
	VALUE(getxattr("f", name, back, 10));
	strcat(name, "n");
	TRY(setxattr("f", name, "x", 1, 0));
	VALUE(getxattr("f", name, back, 10));
	VALUE(listxattr("f", NULL, 0));
	VALUE(listxattr("f", back, 20));
	VALUE(listxattr("f", back, sizeof(back)));
	TRY(setxattr("f", "user.empty", value, 10, XATTR_REPLACE));
	VALUE(getxattr("f", "user.empty", back, 10));
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "user.number%d", i);
		if (setxattr("dir", name, value, 100, 0)) {
			printf("full: %s, after several: %d\n", strerrorname_np(errno), i > 5);
			break;
		}
	}
	return 0;
}
