/* statfs and statvfs tell of home's file system, the same by name and by descriptor. */
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include "say.h"

int main(void)
{
	struct statfs a, b, other;
	struct statvfs v;
	struct stat st;
	TRY(statfs(".", &a));
	int fd = MUST(open("small.txt", O_RDONLY));
	TRY(fstatfs(fd, &b));
	YES(a.f_type == b.f_type && a.f_bsize == b.f_bsize && a.f_blocks == b.f_blocks && a.f_files == b.f_files);
	YES(memcmp(&a.f_fsid, &b.f_fsid, sizeof(a.f_fsid)) == 0);
	printf("type %lx name %ld bsize %ld\n", (long)a.f_type, (long)a.f_namelen, (long)a.f_bsize);
	YES(a.f_bavail <= a.f_bfree && a.f_bfree <= a.f_blocks && a.f_ffree <= a.f_files);
	TRY(statvfs("dir/a", &v));
	YES(v.f_blocks == (unsigned long)a.f_blocks && v.f_namemax == 255 && v.f_frsize == 4096);
	YES((v.f_flag & ST_RDONLY) == 0 && (v.f_flag & ST_NOSUID) != 0);
	MUST(stat(".", &st));
	YES(st.st_blksize == (long)a.f_bsize);
	TRY(statfs("/usr", &other));
	YES(memcmp(&other.f_fsid, &a.f_fsid, sizeof(a.f_fsid)) != 0);
	TRY(statfs("dangling", &a));
	TRY(statfs("absent", &a));
	TRY(statfs("small.txt/x", &a));
	TRY(statfs("secret.txt", &a));
	TRY(fstatfs(-1, &a));
	TRY(statfs(".", NOWHERE));
	TRY(fstatfs(MUST(open("dir", O_PATH)), &a));
	TRY(statfs("/proc", &other));
	printf("proc %lx\n", (long)other.f_type);
	VALUE(pathconf(".", _PC_NAME_MAX));
	VALUE(fpathconf(fd, _PC_FILESIZEBITS));
	return 0;
}
