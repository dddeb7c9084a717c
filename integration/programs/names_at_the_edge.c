/* Names and buffers that end where the memory does, names that are missing, and which complaint comes first. */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include "say.h"

/* Four bytes without an end, and nothing behind them that could be read. */
static char *unfinished(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(mprotect(page + 4096, 4096, PROT_NONE));
	memcpy(page + 4092, "abcd", 4);
	return page + 4092;
}

static void second_names(char *open_end)
{
	static char too_long[6000];
	int file = MUST(open("small.txt", O_RDONLY));

	memset(too_long, 'n', sizeof too_long - 1);
	TRY(link("dir/absent", open_end));
	TRY(link("small.txt", open_end));
	TRY(rename("dangling/", open_end));
	TRY(rename("small.txt", open_end));
	TRY(linkat(file, "", AT_FDCWD, open_end, AT_EMPTY_PATH));
	TRY(rename("dir/absent", too_long));
	TRY(rename("small.txt", too_long));
	TRY(link("dir/absent", too_long));
	TRY(symlink("text", open_end));
	TRY(symlink(open_end, "new"));
	close(file);
}

/* Without a name these calls mean nothing, not the descriptor. */
static void no_names(void)
{
	char *volatile none = NULL;
	int dir = MUST(open("dir", O_RDONLY));
	struct stat st;

	TRY(syscall(SYS_fchmodat, dir, none, 0700));
	TRY(syscall(452 /* fchmodat2 */, dir, none, 0700, 0));
	TRY(syscall(SYS_fchownat, dir, none, getuid(), getgid(), 0));
	TRY(syscall(SYS_fchownat, dir, none, 0, 0, 0));
	MUST(fstat(dir, &st));
	printf("mode %o\n", st.st_mode);
	close(dir);
}

static void attribute_names(char *open_end)
{
	char *volatile none = NULL;
	char value[8] = "value";
	int file = MUST(open("small.txt", O_RDWR));

	TRY(setxattr("small.txt", none, value, 5, 0));
	TRY(fsetxattr(file, none, value, 5, 0));
	TRY(setxattr("small.txt", none, value, 5, 4));
	TRY(setxattr("absent", "user.a", value, 5, 4));
	TRY(setxattr("absent", "user.a", NOWHERE, 100000, 0));
	TRY(getxattr("small.txt", none, value, 5));
	TRY(fgetxattr(file, none, value, 5));
	TRY(removexattr("small.txt", none));
	TRY(fremovexattr(file, none));
	TRY(lsetxattr("small.txt", open_end, value, 5, 0));
	TRY(lgetxattr("small.txt", open_end, value, 5));
	TRY(lremovexattr("small.txt", open_end));
	TRY(setxattr("small.txt", "", value, 5, 0));
	TRY(fremovexattr(file, ""));
	close(file);
}

/* Opened with access mode 3, a descriptor neither reads nor writes; nor does it cut. */
static void neither(void)
{
	int fd = MUST(open("small.txt", O_ACCMODE));
	struct flock lock = { .l_type = F_RDLCK };
	char byte = 'x';

	TRY(ftruncate(fd, 3));
	TRY(fallocate(fd, 0, 0, 100));
	TRY(read(fd, &byte, 1));
	TRY(write(fd, &byte, 1));
	TRY(fcntl(fd, F_SETLK, &lock));
	lock.l_type = F_WRLCK;
	TRY(fcntl(fd, F_SETLK, &lock));
	close(fd);
	show("small.txt");
}

/* What is wrong with the descriptor comes before what is wrong with the name. */
static void no_sockets(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "small.txt" };
	int file = MUST(open("small.txt", O_RDWR)), local = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	int inet = MUST(socket(AF_INET, SOCK_DGRAM, 0));

	TRY(connect(999, (struct sockaddr *)&address, sizeof address));
	TRY(connect(file, (struct sockaddr *)&address, sizeof address));
	TRY(connect(inet, (struct sockaddr *)&address, sizeof address));
	TRY(connect(local, (struct sockaddr *)&address, sizeof address));
	TRY(sendto(999, "x", 1, 0, (struct sockaddr *)&address, sizeof address));
	TRY(sendto(file, "x", 1, 0, (struct sockaddr *)&address, sizeof address));
	close(file);
	close(local);
	close(inet);
}

/* Made longer by zeros, of a file that may be written and not read. */
static void longer_unseen(void)
{
	static char block[1000];
	int fd = MUST(open("blind", O_WRONLY | O_CREAT, 0200));
	struct stat st;

	TRY(fallocate(fd, 0x10 /* FALLOC_FL_ZERO_RANGE */, 100000, 4097));
	MUST(pwrite(fd, block, sizeof block, 5000));
	MUST(fstat(fd, &st));
	printf("size %ld\n", (long)st.st_size);
	close(fd);
	MUST(stat("blind", &st));
	printf("size %ld\n", (long)st.st_size);
	MUST(chmod("blind", 0600));
}

int main(void)
{
	char *open_end = unfinished();

	second_names(open_end);
	no_names();
	attribute_names(open_end);
	neither();
	no_sockets();
	longer_unseen();
	return 0;
}
