/* statx: the same facts as stat, masks, birth time, and fields that must agree. */
#include <sys/sysmacros.h>
#include "say.h"

static void agree(const char *name, int flags)
{
	struct stat st;
	struct statx x;
	MUST(fstatat(AT_FDCWD, name, &st, flags));
	MUST(statx(AT_FDCWD, name, flags, STATX_BASIC_STATS | STATX_BTIME, &x));
	int same = x.stx_ino == st.st_ino && x.stx_size == (uint64_t)st.st_size && x.stx_mode == st.st_mode &&
		   x.stx_nlink == st.st_nlink && x.stx_uid == st.st_uid && x.stx_blocks == (uint64_t)st.st_blocks &&
		   x.stx_mtime.tv_nsec == st.st_mtim.tv_nsec && x.stx_ctime.tv_sec == st.st_ctim.tv_sec &&
		   makedev(x.stx_dev_major, x.stx_dev_minor) == st.st_dev && x.stx_blksize == (uint64_t)st.st_blksize;
	printf("%s %s mode %o birth %s\n", name, same ? "agrees" : "differs", x.stx_mode,
	       x.stx_mask & STATX_BTIME ? "known" : "unknown");
}

int main(void)
{
	struct statx x;
	agree("small.txt", 0);
	agree("big.bin", 0);
	agree("sparse.bin", 0);
	agree("link", 0);
	agree("link", AT_SYMLINK_NOFOLLOW);
	agree("dir", 0);
	agree("dir/sub/deep/leaf.txt", 0);
	agree("/usr/bin/env", 0);
	agree("/", 0);
	TRY(statx(AT_FDCWD, "absent", 0, STATX_ALL, &x));
	TRY(statx(AT_FDCWD, "small.txt", AT_STATX_DONT_SYNC, STATX_SIZE, &x));
	YES(x.stx_size == 17);
	TRY(statx(AT_FDCWD, "small.txt", AT_STATX_FORCE_SYNC, STATX_MTIME, &x));
	printf("%ld.%u\n", (long)x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec);
	TRY(statx(AT_FDCWD, "small.txt", 0, 1u << 31, &x));
	TRY(statx(AT_FDCWD, "small.txt", 0x40000000, STATX_SIZE, &x));
	TRY(statx(MUST(open("lines.txt", O_RDONLY)), "", AT_EMPTY_PATH, STATX_SIZE, &x));
	printf("%ld\n", (long)x.stx_size);
	return 0;
}
