/* Files and directories without a name any more: used through descriptors, shown in /proc. */
#include "say.h"

static void state(const char *what, int fd)
{
	struct stat st;
	char own[64], text[PATH_MAX] = "";
	MUST(fstat(fd, &st));
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(own, text, sizeof(text) - 1);
	char *base = length > 0 ? strrchr(text, '/') : text;
	printf("%s: links %ld size %ld \"%s\"\n", what, (long)st.st_nlink, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size,
	       base);
}

int main(void)
{
	char bytes[20] = "", own[64];
	int fd = MUST(open("small.txt", O_RDWR)), again, dir;
	MUST(unlink("small.txt"));
	state("unlinked", fd);
	VALUE(pread(fd, bytes, 5, 0));
	VALUE(pwrite(fd, "written", 7, 20));
	state("written", fd);
	TRY(ftruncate(fd, 3));
	TRY(fchmod(fd, 0600));
	TRY(fsync(fd));
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	again = TRY(open(own, O_RDONLY));
	VALUE(read(again, bytes, 20));
	TRY(linkat(AT_FDCWD, own, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
	put("small.txt", "another\n");
	state("with a successor", fd);
	show("small.txt");
	int over = MUST(open("lines.txt", O_RDWR | O_APPEND));
	MUST(rename("small.txt", "lines.txt"));
	state("renamed over", over);
	VALUE(write(over, "x", 1));
	state("appended", over);
	show("lines.txt");
	int moved = MUST(open("hard1", O_RDWR));
	MUST(rename("hard1", "dir/elsewhere"));
	state("moved", moved);
	VALUE(write(moved, "ONE", 3));
	show("dir/elsewhere");
	dir = MUST(open("emptydir", O_RDONLY | O_DIRECTORY));
	MUST(rmdir("emptydir"));
	state("directory", dir);
	TRY(openat(dir, "x", O_CREAT | O_WRONLY, 0644));
	TRY(mkdirat(dir, "x", 0755));
	TRY(fstatat(dir, "..", &(struct stat){ 0 }, 0));
	TRY(fchdir(dir));
	VALUE(syscall(SYS_getcwd, bytes, sizeof(bytes)));
	TRY(chdir(".."));
	YES(access("dir", F_OK) == 0);
	return 0;
}
