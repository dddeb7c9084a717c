/* statfs and statvfs tell of home's file system, local places of their own. */
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include "say.h"

int main(void)
{
	struct statfs fs, by_fd, proc;
	struct statvfs vfs;
	TRY(statfs(".", &fs));
	TRY(fstatfs(MUST(open("small.txt", O_RDONLY)), &by_fd));
	YES(fs.f_type == by_fd.f_type);
	YES(fs.f_blocks == by_fd.f_blocks);
	YES(fs.f_bsize == by_fd.f_bsize && fs.f_bsize > 0);
	printf("type %lx namelen %ld\n", (long)fs.f_type, (long)fs.f_namelen);
	YES(fs.f_bavail > 0 && fs.f_bavail <= fs.f_blocks);
	TRY(statvfs("dir/a", &vfs));
	YES(vfs.f_namemax == 255);
	YES(vfs.f_blocks == fs.f_blocks);
	TRY(statfs("absent", &fs));
	TRY(statfs("small.txt/x", &fs));
	TRY(statfs("/proc", &proc));
	printf("%lx\n", (long)proc.f_type);
	TRY(fstatfs(99, &fs));
	VALUE(pathconf(".", _PC_NAME_MAX));
	VALUE(pathconf(".", _PC_LINK_MAX) > 0);
	return 0;
}
