/* What is heard by inotify is read only after a while, again and again: whenever it is dumped, all of it is there. */
#include "again.h"
#include <sys/inotify.h>
#include <sys/stat.h>

#define TIMES 12

int main(void)
{
	char heard[1000] __attribute__((aligned(8))), name[32];
	const struct inotify_event *event = (const void *)heard;
	int fd = inotify_init1(IN_NONBLOCK), number = 0;
	CHECK(mkdir("/tmp/place", 0700) == 0 && inotify_add_watch(fd, "/tmp/place", IN_CREATE) == 1);
	printf("ready\n");
	fflush(stdout);
	for (; number < TIMES; number++) {
		snprintf(name, sizeof name, "/tmp/place/%d", number);
		CHECK(mkdir(name, 0700) == 0);
		usleep(30000);
		CHECK(read(fd, heard, sizeof heard) == 32 && event->wd == 1 && atoi(event->name) == number);
		usleep(150000);
		CHECK(read(fd, heard, sizeof heard) < 0 && errno == EAGAIN);
	}
	return done();
}
