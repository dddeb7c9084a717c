/* O_PATH descriptors: what may be done with them, and what EBADF answers. */
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include "say.h"

int main(void)
{
	char bytes[64];
	struct stat st;
	struct statfs fs;
	int file = MUST(open("small.txt", O_PATH)), dir = MUST(open("dir", O_PATH));
	int link = MUST(open("link", O_PATH | O_NOFOLLOW)), secret = MUST(open("secret.txt", O_PATH));
	VALUE(read(file, bytes, 1));
	VALUE(write(file, bytes, 1));
	TRY(lseek(file, 0, SEEK_END));
	TRY(lseek(MUST(open("big.bin", O_PATH)), -1, SEEK_DATA));
	TRY(ftruncate(file, 0));
	TRY(fchmod(file, 0600));
	TRY(fchown(file, -1, -1));
	TRY(fsync(file));
	TRY(fgetxattr(file, "user.x", bytes, 10));
	TRY(ioctl(file, 0x5401, bytes) < 0 ? -1 : 0);
	YES(mmap(NULL, 10, PROT_READ, MAP_PRIVATE, file, 0) == MAP_FAILED);
	TRY(fallocate(file, 0, 0, 10));
	TRY(syscall(SYS_flock, file, 2));
	TRY(fcntl(file, F_SETLK, &(struct flock){ .l_type = F_RDLCK }));
	TRY(futimens(file, NULL));
	TRY(syscall(SYS_getdents64, dir, bytes, 20));
	TRY(fstat(file, &st));
	printf("%ld\n", (long)st.st_size);
	TRY(fstat(link, &st));
	YES(S_ISLNK(st.st_mode));
	VALUE(readlinkat(link, "", bytes, 20));
	VALUE(readlinkat(file, "", bytes, 20));
	TRY(fstat(secret, &st));
	TRY(fstatfs(file, &fs));
	TRY(openat(dir, "a", O_RDONLY));
	TRY(openat(dir, "new", O_CREAT | O_WRONLY, 0644));
	TRY(fchdir(dir));
	TRY(fchdir(file));
	YES((fcntl(file, F_GETFL) & O_PATH) != 0);
	TRY(dup(file));
	TRY(fcntl(file, F_SETFL, O_NONBLOCK));
	snprintf(bytes, sizeof(bytes), "/proc/self/fd/%d", file);
	TRY(open(bytes, O_RDWR));
	snprintf(bytes, sizeof(bytes), "/proc/self/fd/%d", secret);
	TRY(open(bytes, O_RDONLY));
	snprintf(bytes, sizeof(bytes), "/proc/self/fd/%d", link);
	TRY(open(bytes, O_RDONLY));
	TRY(faccessat(file, "", R_OK, AT_EMPTY_PATH));
	TRY(open("absent", O_PATH));
	TRY(open("small.txt/", O_PATH));
	TRY(open("dangling", O_PATH));
	return 0;
}
