/* inotify: numbers, masks, nothing heard of what was done behind the program's back, everything afterwards. */
#include "again.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PLACE "/tmp/place"

static char heard[65536] __attribute__((aligned(8)));
static const char *const all[] = { "/tmp", PLACE, PLACE "/file", PLACE "/below", PLACE "/link" };

/* The kernel's own words, without inodes. */
static void describe(int fd, char *text, size_t room)
{
	char path[64], line[400];
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	FILE *info = fopen(path, "r");
	CHECK(info);
	*text = '\0';
	while (fgets(line, sizeof line, info)) {
		unsigned wd, mask;
		if (sscanf(line, "inotify wd:%x ino:%*x sdev:%*x mask:%x", &wd, &mask) == 2)
			snprintf(text + strlen(text), room - strlen(text), "%u %x\n", wd, mask);
	}
	fclose(info);
}

static void expect(int fd, int wd, uint32_t mask, const char *name)
{
	static ssize_t length, at;
	if (at == length)
		length = read(fd, heard, sizeof heard), at = 0;
	CHECK(length > 0);
	const struct inotify_event *event = (const void *)(heard + at);
	at += (ssize_t)(sizeof *event + event->len);
	if (event->wd != wd || event->mask != mask || strcmp(event->len ? event->name : "", name))
		printf("heard %d %x %s instead of %d %x %s\n", event->wd, event->mask, event->len ? event->name : "",
		       wd, mask, name);
	CHECK(event->wd == wd && event->mask == mask && !strcmp(event->len ? event->name : "", name));
}

static void *listen_in_vain(void *fd)
{
	return (void *)read(*(int *)fd, heard, sizeof heard);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
}

int main(void)
{
	char before[400], after[400];
	struct epoll_event event = { .events = EPOLLIN }, told;
	int number[5], ends[2], status;
	CHECK(mkdir(PLACE, 0755) == 0 && mkdir(PLACE "/below", 0755) == 0 && symlink("file", PLACE "/link") == 0);
	touch(PLACE "/file");
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), patient = inotify_init1(0), signal = inotify_init();
	for (int n = 0; n < 2000; n++) /* numbers that were given out and are no more */
		CHECK(inotify_rm_watch(fd, inotify_add_watch(fd, "/", IN_CREATE)) == 0);
	number[0] = inotify_add_watch(fd, all[0], IN_CREATE);
	number[1] = inotify_add_watch(fd, all[1], IN_ALL_EVENTS | IN_EXCL_UNLINK);
	CHECK(inotify_rm_watch(fd, inotify_add_watch(fd, "/", IN_CREATE)) == 0);
	number[2] = inotify_add_watch(fd, all[2], IN_ATTRIB | IN_ONESHOT);
	number[3] = inotify_add_watch(fd, all[3], IN_DELETE_SELF);
	number[4] = inotify_add_watch(fd, all[4], IN_DELETE_SELF | IN_DONT_FOLLOW);
	CHECK(number[0] == 2001 && number[4] == 2006);
	CHECK(inotify_add_watch(patient, PLACE "/below", IN_CREATE) == 1);
	CHECK(inotify_add_watch(signal, PLACE "/below", IN_MOVE_SELF) == 1 && dup2(signal, 200) == 200);
	while (read(fd, heard, sizeof heard) > 0)
		;
	int polled = epoll_create1(EPOLL_CLOEXEC);
	CHECK(epoll_ctl(polled, EPOLL_CTL_ADD, fd, &event) == 0);
	pthread_t thread;
	void *got;
	CHECK(pthread_create(&thread, NULL, listen_in_vain, &patient) == 0 && pipe(ends) == 0);
	pid_t child = fork(); /* has the same descriptors */
	if (child == 0) {
		close(ends[1]);
		CHECK(read(ends[0], heard, 1) == 0);
		_exit(rename(PLACE "/below", PLACE "/moved") || read(200, heard, sizeof heard) != 16);
	}
	close(ends[0]);
	describe(fd, before, sizeof before);
	linger();
	describe(fd, after, sizeof after);
	CHECK(!strcmp(before, after));
	CHECK(epoll_wait(polled, &told, 1, 0) == 0 && read(fd, heard, sizeof heard) < 0 && errno == EAGAIN);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GETFL) & O_NONBLOCK &&
	      !(fcntl(200, F_GETFL) & O_NONBLOCK));
	touch(PLACE "/below/new");
	CHECK(pthread_join(thread, &got) == 0 && (ssize_t)got == 32);
	CHECK(chmod(PLACE "/file", 0600) == 0 && epoll_wait(polled, &told, 1, 5000) == 1);
	expect(fd, number[1], IN_ATTRIB, "file");
	expect(fd, number[2], IN_ATTRIB, "");
	expect(fd, number[2], IN_IGNORED, ""); /* once */
	touch("/tmp/other");
	expect(fd, number[0], IN_CREATE, "other");
	CHECK(unlink(PLACE "/link") == 0);
	expect(fd, number[4], IN_DELETE_SELF, "");
	expect(fd, number[4], IN_IGNORED, "");
	expect(fd, number[1], IN_DELETE, "link");
	close(ends[1]);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	expect(fd, number[1], IN_MOVED_FROM | IN_ISDIR, "below");
	expect(fd, number[1], IN_MOVED_TO | IN_ISDIR, "moved");
	CHECK(inotify_add_watch(fd, "/", IN_CREATE) > number[4]);
	CHECK(inotify_rm_watch(fd, number[3]) == 0);
	return done();
}
