/* O_TMPFILE: a file without a name, which may get one later. */
#include "say.h"

int main(void)
{
	struct stat st;
	char name[64], bytes[8];
	int t = TRY(open("dir", O_TMPFILE | O_RDWR, 0640));
	VALUE(write(t, "hidden\n", 7));
	MUST(fstat(t, &st));
	printf("links %ld size %ld mode %o\n", (long)st.st_nlink, (long)st.st_size, st.st_mode & 07777);
	VALUE(pread(t, bytes, 6, 0));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", t);
	TRY(linkat(AT_FDCWD, name, AT_FDCWD, "dir/named", AT_SYMLINK_FOLLOW));
	MUST(fstat(t, &st));
	printf("links %ld\n", (long)st.st_nlink);
	VALUE(write(t, "more\n", 5));
	show("dir/named");
	int never = TRY(open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", never);
	TRY(linkat(AT_FDCWD, name, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
	TRY(open("small.txt", O_TMPFILE | O_RDWR, 0600));
	TRY(open("absent", O_TMPFILE | O_RDWR, 0600));
	TRY(open(".", O_TMPFILE | O_RDONLY, 0600));
	return 0;
}
