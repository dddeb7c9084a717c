/* Arguments that make no sense, and which of two errors comes first. */
#include <sys/uio.h>
#include "say.h"

int main(void)
{
	char byte, name[64];
	struct iovec one = { &byte, 1 };
	struct timespec never[2] = { { 0, 2000000000 }, { 0, 0 } }, set[2] = { { 5, 5 }, { 6, 6 } },
			omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	struct stat st;
	int file = MUST(open("small.txt", O_RDWR)), path = MUST(open("small.txt", O_PATH));
	int reading = MUST(open("dir/a", O_RDONLY)), dir = MUST(open("dir", O_RDONLY));

	TRY(fsync(path));
	TRY(fdatasync(path));
	TRY(sync_file_range(path, 0, 0, SYNC_FILE_RANGE_WRITE));
	TRY(sync_file_range(file, 1L << 62, 1L << 62, SYNC_FILE_RANGE_WRITE));
	TRY(sync_file_range(file, 1L << 62, 1, SYNC_FILE_RANGE_WRITE));
	TRY(fcntl(file, F_GET_SEALS));
	TRY(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(fcntl(reading, F_GET_SEALS));
	TRY(fcntl(reading, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(fcntl(path, F_GET_SEALS));
	TRY(syscall(SYS_utimensat, file, NULL, set, AT_SYMLINK_NOFOLLOW));
	TRY(syscall(SYS_utimensat, file, NULL, set, AT_EMPTY_PATH));
	TRY(syscall(SYS_utimensat, 999, NULL, set, AT_EMPTY_PATH));
	TRY(syscall(SYS_utimensat, file, NULL, omit, AT_EMPTY_PATH));
	TRY(syscall(SYS_utimensat, file, NULL, never, 0));
	TRY(syscall(SYS_utimensat, path, NULL, never, 0));
	TRY(syscall(SYS_utimensat, 999, NULL, never, 0));
	TRY(utimensat(AT_FDCWD, "absent", never, 0));
	TRY(utimensat(AT_FDCWD, "dir/absent/x", never, 0));
	TRY(utimensat(AT_FDCWD, "dir/b", never, 0));
	TRY(utimensat(file, "b", never, 0));
	TRY(symlinkat("", file, "new"));
	TRY(symlinkat("", dir, "new"));
	TRY(symlinkat("", dir, "a"));
	snprintf(name, sizeof name, "/proc/self/fd/%d", file);
	TRY(linkat(AT_FDCWD, name, AT_FDCWD, "linked", 0));
	TRY(link(name, "linked"));
	TRY(link("/proc/self/exe", "linked"));
	TRY(link("/proc/self/cwd", "linked"));
	TRY(linkat(AT_FDCWD, name, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
	MUST(fstat(file, &st));
	printf("links %ld\n", (long)st.st_nlink);
	TRY(preadv2(file, &one, 1, 0, 0x4000));
	TRY(rename("absent", NOWHERE));
	TRY(rename("absent/x", NOWHERE));
	TRY(rename("dir/sub/x", NOWHERE));
	TRY(link("absent", NOWHERE));
	TRY(link("dir/sub/absent", NOWHERE));
	TRY(link("dir/sub/deep", NOWHERE));
	TRY(linkat(file, "", AT_FDCWD, NOWHERE, AT_EMPTY_PATH));
	TRY(symlink(NOWHERE, "dir/sub/absent"));
	TRY(symlink("text", NOWHERE));
	return 0;
}
