/* st_ino and st_dev are stable and agree: stat, fstat, statx, readdir, after rename, after a rewrite. */
#include <dirent.h>
#include "say.h"

int main(void)
{
	struct stat a, b, c;
	MUST(stat("small.txt", &a));
	int fd = MUST(open("small.txt", O_RDONLY));
	MUST(fstat(fd, &b));
	YES(same_file(&a, &b));
	MUST(rename("small.txt", "moved.txt"));
	MUST(stat("moved.txt", &b));
	YES(same_file(&a, &b));
	put("moved.txt", "rewritten in place");
	MUST(stat("moved.txt", &b));
	YES(same_file(&a, &b));
	put("small.txt", "a new file");
	MUST(stat("small.txt", &b));
	YES(!same_file(&a, &b));
	MUST(stat("big.bin", &a));
	printf("%016lx\n", file_sum("big.bin"));
	MUST(stat("big.bin", &b));
	YES(same_file(&a, &b));
	MUST(lstat("link", &b));
	MUST(lstat("dirlink", &c));
	YES(!same_file(&b, &c));
	int agree = 0, all = 0;
	DIR *dir = opendir(".");
	for (struct dirent *entry; (entry = readdir(dir));) {
		MUST(lstat(entry->d_name, &b));
		all++;
		if (strcmp(entry->d_name, "..") == 0)
			agree++;
		else
			agree += b.st_ino == entry->d_ino;
	}
	YES(agree == all);
	MUST(stat(".", &a));
	MUST(stat("dir/..", &b));
	YES(same_file(&a, &b));
	MUST(stat("dir/sub/deep", &c));
	YES(c.st_dev == a.st_dev && c.st_ino != a.st_ino);
	int fresh = MUST(open("fresh", O_WRONLY | O_CREAT, 0644));
	MUST(fstat(fresh, &a));
	MUST(write(fresh, "content", 7));
	MUST(fsync(fresh));
	MUST(close(fresh));
	MUST(stat("fresh", &b));
	YES(same_file(&a, &b));
	YES(b.st_size == 7);
	return 0;
}
