/* statx: masks, birth time, mount, attributes, flags that do not exist. */
#include <sys/sysmacros.h>
#include "say.h"

int main(void)
{
	struct statx x = { 0 }, y = { 0 };
	struct stat st;
	MUST(stat("small.txt", &st));
	TRY(statx(AT_FDCWD, "small.txt", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
	YES((x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	YES((x.stx_mask & STATX_BTIME) != 0);
	YES(x.stx_btime.tv_sec > st.st_mtim.tv_sec);
	YES(x.stx_ino == st.st_ino && makedev(x.stx_dev_major, x.stx_dev_minor) == st.st_dev);
	YES(x.stx_size == (uint64_t)st.st_size && x.stx_blocks == (uint64_t)st.st_blocks);
	YES(x.stx_blksize == (unsigned)st.st_blksize && x.stx_nlink == st.st_nlink && x.stx_mode == st.st_mode);
	YES(x.stx_ctime.tv_nsec == st.st_ctim.tv_nsec && x.stx_mtime.tv_nsec == st.st_mtim.tv_nsec);
	YES(x.stx_uid == getuid() && x.stx_gid == getgid() && x.stx_rdev_major == 0);
	YES((x.stx_attributes & x.stx_attributes_mask) == x.stx_attributes);
	YES((x.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_MOUNT_ROOT)) == 0);
	TRY(statx(AT_FDCWD, "dir", 0, STATX_MNT_ID, &x));
	TRY(statx(AT_FDCWD, "small.txt", 0, STATX_MNT_ID, &y));
	YES((x.stx_mask & STATX_MNT_ID) && x.stx_mnt_id == y.stx_mnt_id);
	TRY(statx(AT_FDCWD, "small.txt", AT_STATX_DONT_SYNC, 0, &x));
	TRY(statx(AT_FDCWD, "small.txt", AT_STATX_FORCE_SYNC, STATX_SIZE, &x));
	YES(x.stx_mask & STATX_SIZE && x.stx_size == 17);
	TRY(statx(AT_FDCWD, "small.txt", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, 0, &x));
	TRY(statx(AT_FDCWD, "small.txt", 0x10000, 0, &x));
	TRY(statx(AT_FDCWD, "small.txt", 0, 0x80000000, &x));
	TRY(statx(AT_FDCWD, "", 0, 0, &x));
	TRY(statx(AT_FDCWD, "", AT_EMPTY_PATH, STATX_TYPE, &x));
	YES(S_ISDIR(x.stx_mode));
	TRY(statx(AT_FDCWD, "dangling", 0, 0, &x));
	TRY(statx(AT_FDCWD, "dangling", AT_SYMLINK_NOFOLLOW, STATX_ALL, &x));
	YES(S_ISLNK(x.stx_mode) && x.stx_size == 7);
	TRY(statx(MUST(open("lines.txt", O_PATH)), "", AT_EMPTY_PATH, STATX_SIZE, &x));
	YES(x.stx_size == 10000);
	TRY(statx(AT_FDCWD, "small.txt", 0, STATX_SIZE, NOWHERE));
	int fd = MUST(open("fresh", O_CREAT | O_WRONLY, 0600));
	TRY(statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &x));
	usleep(20000);
	MUST(write(fd, "x", 1));
	TRY(statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &y));
	YES(x.stx_btime.tv_sec == y.stx_btime.tv_sec && x.stx_btime.tv_nsec == y.stx_btime.tv_nsec);
	YES(y.stx_mtime.tv_sec > x.stx_mtime.tv_sec || y.stx_mtime.tv_nsec != x.stx_mtime.tv_nsec);
	return 0;
}
