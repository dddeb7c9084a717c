/* All that a program hears of its own changes in a directory it watches, in order: what is made is made and not
 * moved there, and nobody else opens, fills or changes it. (That of a new directory changes is in the table of
 * differences.) */
#include "say.h"
#include <sys/inotify.h>

static int notify;

static void heard(const char *after)
{
	static char buffer[65536] __attribute__((aligned(8)));
	ssize_t length;

	printf("%s:", after);
	while ((length = read(notify, buffer, sizeof buffer)) > 0)
		for (ssize_t at = 0; at < length;) {
			const struct inotify_event *event = (const void *)(buffer + at);

			at += (ssize_t)(sizeof *event + event->len);
			if (event->mask != (IN_ATTRIB | IN_ISDIR))
				printf(" %x/%s%s", event->mask, event->len ? event->name : "",
				       event->cookie ? "+" : "");
		}
	puts("");
}

/* What is made empty is not emptied; /tmp is the job's own. */
static void scratch(void)
{
	char place[] = "/tmp/watched-XXXXXX";
	int watch, fd;

	MUST(mkdtemp(place) ? 0 : -1);
	MUST(chdir(place));
	watch = TRY(inotify_add_watch(notify, ".", IN_ALL_EVENTS));
	fd = TRY(creat("file", 0644));
	TRY(close(fd));
	heard("create");
	TRY(rename("file", "other"));
	heard("rename");
	TRY(unlink("other"));
	heard("remove");
	TRY(inotify_rm_watch(notify, watch));
	heard("the end");
	MUST(chdir("/"));
	MUST(rmdir(place));
}

int main(void)
{
	char bytes[4];
	int fd;

	TRY(mkdir("place", 0755));
	notify = TRY(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	TRY(inotify_add_watch(notify, "place", IN_ALL_EVENTS));
	fd = TRY(open("place/file", O_CREAT | O_RDWR, 0644));
	heard("create");
	TRY(write(fd, "abc", 3));
	heard("write");
	TRY(fsync(fd));
	heard("fsync");
	TRY(ftruncate(fd, 2));
	heard("ftruncate");
	TRY(pread(fd, bytes, 2, 0));
	heard("read");
	TRY(fchmod(fd, 0600));
	heard("fchmod");
	TRY(close(fd));
	heard("close");
	TRY(chmod("place/file", 0640));
	heard("chmod");
	TRY(truncate("place/file", 1));
	heard("truncate");
	TRY(link("place/file", "place/other"));
	heard("link");
	TRY(rename("place/other", "place/third"));
	heard("rename");
	TRY(symlink("file", "place/link"));
	heard("symlink");
	TRY(mkfifo("place/fifo", 0600));
	heard("mkfifo");
	TRY(mkdir("place/below", 0755));
	heard("mkdir");
	fd = TRY(open("place/mine", O_CREAT | O_EXCL | O_WRONLY, 0644));
	heard("create exclusively");
	TRY(close(fd));
	heard("close");
	TRY(unlink("place/mine"));
	TRY(unlink("place/third"));
	TRY(unlink("place/file"));
	TRY(unlink("place/link"));
	TRY(unlink("place/fifo"));
	TRY(rmdir("place/below"));
	heard("remove");
	TRY(rmdir("place"));
	heard("itself");
	scratch();
	return 0;
}
