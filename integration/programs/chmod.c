/* chmod: by path, descriptor and link; what the new bits then allow. */
#include "say.h"

static void mode_of(const char *name)
{
	struct stat st;
	MUST(stat(name, &st));
	printf("%s %o\n", name, st.st_mode & 07777);
}

int main(void)
{
	TRY(chmod("big.bin", 0600));
	mode_of("big.bin");
	printf("%016lx\n", file_sum("big.bin"));
	TRY(chmod("big.bin", 0));
	TRY(open("big.bin", O_RDONLY));
	TRY(chmod("big.bin", 04711));
	mode_of("big.bin");
	TRY(chmod("link", 0444));
	mode_of("small.txt");
	TRY(open("small.txt", O_WRONLY));
	int fd = MUST(open("small.txt", O_RDONLY));
	TRY(fchmod(fd, 0644));
	TRY(open("small.txt", O_WRONLY));
	TRY(chmod("dir", 0));
	TRY(open("dir/a", O_RDONLY));
	TRY(open("dir", O_RDONLY));
	TRY(chmod("dir", 0300));
	TRY(open("dir/a", O_RDONLY));
	TRY(open("dir", O_RDONLY));
	TRY(open("dir/new", O_WRONLY | O_CREAT, 0644));
	TRY(chmod("dir", 0500));
	TRY(open("dir/new2", O_WRONLY | O_CREAT, 0644));
	TRY(unlink("dir/a"));
	TRY(chmod("dir", 0755));
	TRY(chmod("secret.txt", 0600));
	show("secret.txt");
	TRY(chmod("absent", 0600));
	TRY(fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
	TRY(chmod("/etc/passwd", 0644));
	int open_first = MUST(open("lines.txt", O_RDWR));
	TRY(chmod("lines.txt", 0));
	char byte;
	VALUE(read(open_first, &byte, 1));
	VALUE(write(open_first, "x", 1));
	mode_of("lines.txt");
	return 0;
}
