/* Names of 255 bytes work, of 256 do not; paths up to PATH_MAX, in every call. */
#include <sys/xattr.h>
#include "say.h"

static char longest[300], too_long[300], path[6000], deep[6000];

int main(void)
{
	struct stat st;
	char text[100];
	memset(longest, 'n', 255);
	memset(too_long, 'n', 256);
	TRY(open(longest, O_CREAT | O_WRONLY, 0644));
	TRY(stat(longest, &st));
	TRY(open(too_long, O_CREAT | O_WRONLY, 0644));
	TRY(open(too_long, O_RDONLY));
	TRY(stat(too_long, &st));
	TRY(mkdir(too_long, 0755));
	TRY(rmdir(too_long));
	TRY(unlink(too_long));
	TRY(rename("small.txt", too_long));
	TRY(rename(too_long, "x"));
	TRY(link("small.txt", too_long));
	TRY(symlink("x", too_long));
	TRY(readlink(too_long, text, 100));
	TRY(chmod(too_long, 0644));
	TRY(truncate(too_long, 0));
	TRY(access(too_long, F_OK));
	TRY(chdir(too_long));
	TRY(mkfifo(too_long, 0600));
	VALUE(getxattr(too_long, "user.x", text, 100));
	TRY(unlink(longest));
	for (int i = 0; i < 4095; i++)
		path[i] = i % 2 ? '/' : '.';
	TRY(stat(path, &st));
	strcat(path, "/");
	TRY(stat(path, &st));
	TRY(mkdir(path, 0755));
	TRY(rename("small.txt", path));
	TRY(open(path, O_RDONLY | O_CREAT, 0644));
	TRY(symlink(path, "long"));
	path[4095] = 0;
	TRY(symlink(path, "long"));
	VALUE(readlink("long", text, 100));
	for (int i = 0; i < 20; i++) {
		memset(deep, 'd', 250);
		deep[250] = 0;
		MUST(mkdir(deep, 0755));
		MUST(chdir(deep));
	}
	put("at the bottom", "deep\n");
	show("at the bottom");
	VALUE(getcwd(path, 4096) == NULL ? -1 : 1);
	VALUE(syscall(SYS_getcwd, path, 6000) > 4096);
	TRY(unlink("at the bottom"));
	for (int i = 0; i < 20; i++) {
		MUST(chdir(".."));
		MUST(rmdir(deep));
	}
	return 0;
}
