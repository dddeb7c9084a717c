/* O_DIRECTORY, and directories opened without it. */
#include "say.h"

int main(void)
{
	char byte;
	struct stat a, b;
	TRY(open("small.txt", O_RDONLY | O_DIRECTORY));
	TRY(open("absent", O_RDONLY | O_DIRECTORY));
	int d = TRY(open("dir", O_RDONLY | O_DIRECTORY));
	VALUE(read(d, &byte, 1));
	VALUE(write(d, &byte, 1));
	TRY(open("dir", O_WRONLY));
	TRY(open("dir", O_RDWR));
	TRY(open("dir", O_RDONLY | O_CREAT, 0644));
	TRY(open("dirlink", O_RDONLY | O_DIRECTORY));
	TRY(open("dirlink", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
	TRY(open("dirlink/", O_RDONLY | O_NOFOLLOW));
	TRY(open("link", O_RDONLY | O_DIRECTORY));
	MUST(fstat(d, &a));
	MUST(stat("dirlink/.", &b));
	YES(same_file(&a, &b));
	TRY(ftruncate(d, 0));
	TRY(fsync(d));
	TRY(openat(d, "a", O_RDONLY));
	TRY(openat(d, "../small.txt", O_RDONLY));
	return 0;
}
