/* FIFOs, sockets and devices among the files: made, refused, opened, renamed, linked, removed. */
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include "say.h"

static void kind(const char *name)
{
	struct stat st;
	if (lstat(name, &st))
		printf("%s %s\n", name, strerrorname_np(errno));
	else
		printf("%s %o mode %o links %ld size %ld\n", name, st.st_mode >> 12, st.st_mode & 07777,
		       (long)st.st_nlink, (long)st.st_size);
}

int main(void)
{
	umask(022);
	TRY(mkfifo("pipe", 0666));
	kind("pipe");
	TRY(mkfifo("pipe", 0666));
	TRY(mknod("pipe2", S_IFIFO | 0600, 0));
	TRY(mknod("plain", S_IFREG | 0640, 0));
	kind("plain");
	TRY(mknod("typeless", 0640, 0));
	kind("typeless");
	TRY(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	TRY(mknod("disk", S_IFBLK | 0666, makedev(8, 0)));
	TRY(mknod("directory", S_IFDIR | 0755, 0));
	TRY(mknod("link2", S_IFLNK | 0755, 0));
	TRY(mknod("socket", S_IFSOCK | 0644, 0));
	kind("socket");
	TRY(open("socket", O_RDONLY));
	TRY(open("socket", O_PATH));
	TRY(open("pipe", O_WRONLY | O_NONBLOCK));
	int fd = TRY(open("pipe", O_RDWR | O_NONBLOCK));
	VALUE(write(fd, "through", 7));
	char bytes[10];
	VALUE(read(fd, bytes, 10));
	TRY(lseek(fd, 0, SEEK_SET));
	TRY(ftruncate(fd, 0));
	TRY(truncate("pipe", 0));
	TRY(chmod("pipe", 0600));
	TRY(rename("pipe", "dir/pipe"));
	TRY(link("dir/pipe", "again"));
	kind("again");
	TRY(unlink("dir/pipe"));
	kind("again");
	TRY(rename("small.txt", "again"));
	kind("again");
	TRY(open("pipe2", O_CREAT | O_EXCL | O_RDWR, 0600));
	TRY(open("pipe2", O_DIRECTORY));
	int s = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "bound" };
	TRY(bind(s, (struct sockaddr *)&name, sizeof(name)));
	kind("bound");
	TRY(bind(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&name, sizeof(name)));
	TRY(rename("bound", "dir/bound"));
	kind("dir/bound");
	TRY(unlink("dir/bound"));
	TRY(rmdir("pipe2"));
	TRY(open("/dev/null", O_RDWR | O_TRUNC));
	return 0;
}
