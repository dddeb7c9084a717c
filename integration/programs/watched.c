/* What a program hears of its own changes in a directory it watches: each of them, and the end of what is gone
 * (watched_exactly.c: and nothing else). */
#include "say.h"
#include <poll.h>
#include <sys/inotify.h>

static int notify;

/* Waits for an event of `mask`; `name` NULL: of the watched object itself. */
static int heard(uint32_t mask, const char *name)
{
	static char buffer[65536] __attribute__((aligned(8)));
	static ssize_t length, at;
	struct pollfd ready = { .fd = notify, .events = POLLIN };

	for (;;) {
		while (at < length) {
			const struct inotify_event *event = (const void *)(buffer + at);

			at += (ssize_t)(sizeof *event + event->len);
			if (event->mask & mask && (name ? event->len && !strcmp(event->name, name) : !event->len))
				return 1;
		}
		if (poll(&ready, 1, 10000) != 1)
			return 0;
		length = read(notify, buffer, sizeof buffer);
		at = 0;
	}
}

int main(void)
{
	int fd, kept;

	notify = inotify_init1(IN_CLOEXEC);
	TRY(mkdir("place", 0755));
	YES(inotify_add_watch(notify, "place", IN_ALL_EVENTS) > 0);
	fd = open("place/file", O_CREAT | O_WRONLY, 0644);
	YES(heard(IN_CREATE, "file"));
	TRY(write(fd, "x", 1));
	YES(heard(IN_MODIFY, "file"));
	TRY(close(fd));
	YES(heard(IN_CLOSE_WRITE, "file"));
	TRY(chmod("place/file", 0600));
	YES(heard(IN_ATTRIB, "file"));
	TRY(rename("place/file", "place/other"));
	YES(heard(IN_MOVED_FROM, "file"));
	YES(heard(IN_MOVED_TO, "other"));
	TRY(mkdir("place/below", 0755));
	YES(heard(IN_CREATE, "below"));
	TRY(rmdir("place/below"));
	YES(heard(IN_DELETE, "below"));
	YES(inotify_add_watch(notify, "place/other", IN_DELETE_SELF) > 0);
	TRY(unlink("place/other"));
	YES(heard(IN_DELETE_SELF, NULL)); /* which comes in front of the directory's IN_DELETE, or behind it */

	kept = open("place/kept", O_CREAT | O_RDWR, 0644); /* gone with the last descriptor */
	TRY(write(kept, "kept", 4));
	YES(inotify_add_watch(notify, "place/kept", IN_DELETE_SELF) > 0);
	TRY(unlink("place/kept"));
	YES(heard(IN_DELETE, "kept"));
	char text[5] = "";
	VALUE(pread(kept, text, 4, 0));
	puts(text);
	TRY(close(kept));
	YES(heard(IN_DELETE_SELF, NULL));

	fd = open("place/first", O_CREAT | O_WRONLY, 0644); /* gone because another took its name */
	TRY(write(fd, "x", 1));
	TRY(close(fd));
	fd = open("place/second", O_CREAT | O_WRONLY, 0644);
	TRY(close(fd));
	YES(inotify_add_watch(notify, "place/first", IN_DELETE_SELF) > 0);
	TRY(rename("place/second", "place/first"));
	YES(heard(IN_DELETE_SELF, NULL));
	TRY(unlink("place/first"));
	TRY(rmdir("place"));
	YES(heard(IN_DELETE_SELF, NULL));
	YES(heard(IN_IGNORED, NULL));
	return 0;
}
