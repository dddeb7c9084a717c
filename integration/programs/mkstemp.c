/* Temporary files and directories: mkstemp, mkdtemp, tmpfile, in the working directory and in /tmp. */
#include "say.h"

int main(void)
{
	char here[] = "temp-XXXXXX", scratch[] = "/tmp/hpool-XXXXXX", directory[] = "dir/made-XXXXXX", name[64];
	struct stat st;
	int fd = TRY(mkstemp(here));
	MUST(fstat(fd, &st));
	printf("%o\n", st.st_mode & 07777);
	VALUE(write(fd, "text", 4));
	TRY(rename(here, "finished"));
	fd = TRY(mkostemp(scratch, O_CLOEXEC));
	VALUE(write(fd, "scratch", 7));
	TRY(unlink(scratch));
	TRY(mkdtemp(directory) ? 0 : -1);
	snprintf(name, sizeof(name), "%s/inside", directory);
	put(name, "x");
	TRY(unlink(name));
	TRY(rmdir(directory));
	FILE *nameless = tmpfile();
	YES(nameless != NULL);
	fputs("nameless", nameless);
	rewind(nameless);
	YES(fgets(name, sizeof(name), nameless) && strcmp(name, "nameless") == 0);
	fd = TRY(open("/tmp", O_TMPFILE | O_RDWR, 0600));
	VALUE(write(fd, "x", 1));
	MUST(stat("/tmp", &st));
	printf("%o\n", st.st_mode);
	TRY(access("/dev/shm", W_OK));
	TRY(access("/var/tmp", W_OK));
	return system("t=$(mktemp) && echo shell > $t && cat $t && rm $t; cat <<here\nhere document\nhere\n");
}
