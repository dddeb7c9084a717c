/* What may not be done to the root and to directories of others, and what of it leaves no trace. */
#include "say.h"

int main(void)
{
	struct stat before, after;
	TRY(stat("/", &before));
	TRY(chmod("/", 0700));
	TRY(utimensat(AT_FDCWD, "/", NULL, 0));
	TRY(chown("/", getuid(), getgid()));
	TRY(truncate("/", 0));
	TRY(rmdir("/"));
	TRY(rename("/", "/usr"));
	TRY(mkdir("/", 0700));
	TRY(open("/", O_WRONLY));
	TRY(open("/", O_RDONLY | O_CREAT, 0600));
	TRY(chmod("/usr", 0700));
	TRY(utimensat(AT_FDCWD, "/usr", NULL, 0));
	TRY(mkdir("/usr/made", 0700));
	TRY(unlink("/usr/bin"));
	TRY(stat("/", &after));
	YES(before.st_mode == after.st_mode);
	YES(before.st_mtime == after.st_mtime);
	return 0;
}
