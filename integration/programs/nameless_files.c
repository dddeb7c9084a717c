/* O_TMPFILE: written before and after it gets a name; which links are refused. */
#include "say.h"

static void links(int fd)
{
	struct stat st;
	MUST(fstat(fd, &st));
	printf("links %ld size %ld mode %o\n", (long)st.st_nlink, (long)st.st_size, st.st_mode & 07777);
}

int main(void)
{
	char own[64], text[PATH_MAX];
	int fd = MUST(open("dir", O_TMPFILE | O_RDWR, 0640));
	links(fd);
	VALUE(write(fd, "before ", 7));
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	long length = MUST(readlink(own, text, sizeof(text) - 1));
	text[length] = 0;
	YES(strstr(text, "(deleted)") != NULL);
	TRY(linkat(AT_FDCWD, own, AT_FDCWD, "small.txt", AT_SYMLINK_FOLLOW));
	TRY(linkat(AT_FDCWD, own, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	links(fd);
	VALUE(write(fd, "after", 5));
	show("named");
	TRY(linkat(AT_FDCWD, own, AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
	links(fd);
	TRY(unlink("named"));
	TRY(unlink("again"));
	links(fd);
	TRY(linkat(AT_FDCWD, own, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
	int alone = MUST(open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600));
	snprintf(own, sizeof(own), "/proc/self/fd/%d", alone);
	TRY(linkat(AT_FDCWD, own, AT_FDCWD, "alone", AT_SYMLINK_FOLLOW));
	TRY(open(".", O_TMPFILE | O_RDONLY, 0600));
	TRY(open("small.txt", O_TMPFILE | O_RDWR, 0600));
	TRY(open("absent", O_TMPFILE | O_RDWR, 0600));
	TRY(open("dir", O_TMPFILE | O_RDWR | O_CREAT, 0600));
	umask(027);
	links(MUST(open("emptydir", O_TMPFILE | O_RDWR, 0666)));
	return 0;
}
