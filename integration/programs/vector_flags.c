/* preadv2 and pwritev2: RWF_APPEND, RWF_NOWAIT, RWF_DSYNC and flags nobody knows. */
#include <sys/uio.h>
#include "say.h"
#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif

int main(void)
{
	char bytes[32];
	struct iovec out = { "written", 7 }, in = { bytes, 32 };
	int fd = MUST(open("small.txt", O_RDWR)), append = MUST(open("log", O_RDWR | O_CREAT | O_APPEND, 0644));
	VALUE(pwritev2(fd, &out, 1, 0, RWF_APPEND));
	VALUE(lseek(fd, 0, SEEK_END));
	VALUE(pwritev2(fd, &out, 1, -1, RWF_APPEND));
	VALUE(lseek(fd, 0, SEEK_CUR));
	VALUE(pwritev2(fd, &out, 1, 2, RWF_DSYNC));
	VALUE(pwritev2(fd, &out, 1, 3, RWF_SYNC));
	show("small.txt");
	VALUE(pwritev2(append, &out, 1, 0, 0));
	VALUE(pwritev2(append, &out, 1, 0, 0));
	VALUE(pwritev2(append, &out, 1, 1, RWF_NOAPPEND));
	show("log");
	VALUE(pwritev2(append, &out, 1, -2, 0));
	VALUE(preadv2(fd, &in, 1, 0, 0));
	VALUE(preadv2(fd, &in, 1, 0, RWF_NOWAIT));
	lseek(fd, 5, SEEK_SET);
	VALUE(preadv2(fd, &in, 1, -1, 0));
	VALUE(lseek(fd, 0, SEEK_CUR));
	VALUE(preadv2(fd, &in, 1, 0, 0x4000));
	VALUE(pwritev2(fd, &out, 1, 0, 0x4000));
	VALUE(pwritev2(fd, &out, 1, 0, RWF_APPEND | RWF_NOAPPEND));
	VALUE(preadv2(fd, &in, 1, -2, 0));
	VALUE(preadv2(fd, &in, 1, 10000, 0));
	show("log");
	return 0;
}
