/* Thousands of scratch files: each with its own content, rights, times and attributes, and with a second name. */
#include "again.h"
#include <sys/un.h>
#include <sys/socket.h>
#include <stdbool.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define FILES 2000

/* user::rwx group::r-x other::---, as the kernel writes it: version, then tag, rights, number of each */
static const unsigned char inherited[] = {
	2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
};

static int has_attributes;

static void name_of(char *path, const char *directory, int number)
{
	snprintf(path, 64, "/tmp/%s/%d", directory, number);
}

static mode_t mode_of(int number)
{
	return 0400 | (number % 2 ? 0200 : 0) | (number % 3 ? 0040 : 0);
}

static long place_of(int number)
{
	return number % 16 * 4096l;
}

static void make(int number)
{
	char path[64], other[64];
	const struct timespec times[2] = { { 0, UTIME_OMIT }, { 1000000 + number, 7 } };
	name_of(path, "first", number);
	name_of(other, number % 2 ? "first" : "second", number + FILES);
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	CHECK(fd >= 0 && pwrite(fd, &number, sizeof number, place_of(number)) == sizeof number);
	CHECK(!has_attributes || fsetxattr(fd, "user.number", &number, sizeof number, 0) == 0);
	CHECK(fchmod(fd, mode_of(number)) == 0 && link(path, other) == 0);
	CHECK(futimens(fd, times) == 0 && close(fd) == 0);
}

static void look(int number)
{
	char path[64], other[64];
	struct stat first, second;
	int got = -1;
	name_of(path, "first", number);
	name_of(other, number % 2 ? "first" : "second", number + FILES);
	CHECK(stat(path, &first) == 0 && stat(other, &second) == 0 && first.st_ino == second.st_ino &&
	      first.st_nlink == 2);
	CHECK((first.st_mode & 07777) == mode_of(number) && first.st_mtim.tv_sec == 1000000 + number);
	CHECK(first.st_size == place_of(number) + (long)sizeof got && first.st_blocks <= 8);
	CHECK(!has_attributes || (getxattr(other, "user.number", &got, sizeof got) == sizeof got && got == number));
	int fd = open(other, O_RDONLY);
	CHECK(fd >= 0 && pread(fd, &got, sizeof got, place_of(number)) == sizeof got && got == number &&
	      close(fd) == 0);
}

int main(void)
{
	char text[8], acl[sizeof inherited];
	struct stat heir;
	CHECK(mkdir("/tmp/first", 0700) == 0 && mkdir("/tmp/second", 0700) == 0 && mkdir("/tmp/third", 0700) == 0);
	has_attributes = setxattr("/tmp/first", "user.empty", "", 0, 0) == 0; /* a tmpfs has them since Linux 6.6 */
	CHECK(setxattr("/tmp/third", "system.posix_acl_default", inherited, sizeof inherited, 0) == 0);
	for (int number = 0; number < FILES; number++)
		make(number);
	struct sockaddr_un name = { AF_UNIX, "/tmp/first/left" };
	int left = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(left, (struct sockaddr *)&name, sizeof name) == 0 && chmod(name.sun_path, 0640) == 0);
	CHECK(close(left) == 0);
	/* a device that is none: anybody may make it (overlayfs, mknod(2)) */
	bool has_none = mknod("/tmp/second/none", S_IFCHR | 0600, 0) == 0;
	linger();
	left = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(stat(name.sun_path, &heir) == 0 && S_ISSOCK(heir.st_mode) && (heir.st_mode & 07777) == 0640);
	CHECK(bind(left, (struct sockaddr *)&name, sizeof name) < 0 && errno == EADDRINUSE);
	CHECK(stat("/tmp/second/none", &heir) ? !has_none : S_ISCHR(heir.st_mode) && heir.st_rdev == 0);
	for (int number = 0; number < FILES; number++)
		look(number);
	CHECK(!has_attributes || getxattr("/tmp/first", "user.empty", text, sizeof text) == 0);
	CHECK(getxattr("/tmp/third", "system.posix_acl_default", acl, sizeof acl) == sizeof acl);
	CHECK(!memcmp(acl, inherited, sizeof acl) && mkdir("/tmp/third/heir", 0777) == 0);
	CHECK(stat("/tmp/third/heir", &heir) == 0 && (heir.st_mode & 0777) == 0750);
	return done();
}
