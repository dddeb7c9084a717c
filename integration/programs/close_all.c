/* Programs that close everything: a loop over all numbers, close_range, and the lowest free number after it. */
#include "say.h"

int main(void)
{
	char bytes[4];
	int lowest = MUST(open("small.txt", O_RDONLY));
	printf("first number %d\n", lowest);
	for (int i = 0; i < 20; i++)
		MUST(open("lines.txt", O_RDONLY));
	TRY(close_range(10, 15, 0));
	VALUE(read(12, bytes, 4));
	VALUE(read(16, bytes, 4));
	VALUE(open("small.txt", O_RDONLY));
	TRY(close_range(16, ~0u, CLOSE_RANGE_CLOEXEC));
	YES(fcntl(17, F_GETFD) & FD_CLOEXEC);
	TRY(close_range(20, 3, 0));
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	VALUE(open("lines.txt", O_RDONLY));
	TRY(close_range(3, ~0u, 0));
	VALUE(open("dir/sub/deep/leaf.txt", O_RDONLY));
	show("dir/a");
	put("after", "still works\n");
	show("after");
	TRY(close(500));
	return 0;
}
