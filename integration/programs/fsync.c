/* fsync, fdatasync, sync_file_range, syncfs, O_SYNC: they succeed and mean it. */
#include "say.h"

int main(void)
{
	int fd = TRY(open("durable", O_RDWR | O_CREAT, 0644));
	VALUE(write(fd, "record 1\n", 9));
	TRY(fsync(fd));
	VALUE(write(fd, "record 2\n", 9));
	TRY(fdatasync(fd));
	VALUE(write(fd, "record 3\n", 9));
	TRY(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	TRY(syncfs(fd));
	int dir = MUST(open(".", O_RDONLY));
	TRY(fsync(dir));
	TRY(fsync(MUST(open("small.txt", O_RDONLY))));
	int always = TRY(open("always", O_WRONLY | O_CREAT | O_SYNC, 0644));
	for (int i = 0; i < 20; i++)
		MUST(write(always, "synchronous\n", 12));
	int p[2];
	MUST(pipe(p));
	TRY(fsync(p[0]));
	TRY(fsync(99));
	sync();
	show("durable");
	return system(
		"cat durable > /dev/null && sync durable && dd if=durable of=copy conv=fsync status=none && cmp durable copy");
}
