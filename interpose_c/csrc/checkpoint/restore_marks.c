/* What inotify descriptors watch, watched again, under the same numbers.
 *
 * The kernel counts up: a number is reached by watching something else for a moment. What is gone from home is
 * told as gone, as if the job had been there. All that the descriptors hear of this is taken away.
 */
#include "home.h"
#include "restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct listener {
	int fd, next; /* next: the number that a new watch gets */
	int *gone;    /* stand-ins for what is gone: with the last descriptor they go too */
	unsigned gone_count;
};

static int by_file_and_number(const void *a, const void *b)
{
	const struct hp_image_mark *first = *(const void *const *)a, *second = *(const void *const *)b;
	if (first->file != second->file)
		return first->file < second->file ? -1 : 1;
	return (first->wd > second->wd) - (first->wd < second->wd);
}

/* A copy of the job's descriptor. */
static int fetch(const struct hp_image *image, uint32_t file)
{
	HP_EACH(image, hp_image_fd, HP_R_FD, fd)
	{
		if (fd->file != file)
			continue;
		int process = (int)syscall(SYS_pidfd_open, fd->pid, 0);
		int found = (int)syscall(SYS_pidfd_getfd, process, fd->fd, 0);
		close(process);
		return found;
	}
	errno = EBADF;
	return -1;
}

static int watch(struct listener *listener, const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(listener->fd, path, mask | IN_DONT_FOLLOW | IN_MASK_CREATE);
	listener->next += wd >= 0;
	return wd;
}

static int watch_nothing(struct listener *listener, int nothing, uint32_t mask)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", nothing);
	int wd = inotify_add_watch(listener->fd, path, mask);
	listener->next += wd >= 0;
	return wd;
}

static bool count_up(struct listener *listener, int wd)
{
	int nothing = listener->next < wd ? memfd_create("nothing", MFD_CLOEXEC) : -1;
	while (listener->next < wd) {
		int passed = watch_nothing(listener, nothing, IN_MOVE_SELF);
		if (passed < 0 || inotify_rm_watch(listener->fd, passed))
			return hp_refuse("counting watches: %s", strerror(errno));
	}
	if (nothing >= 0)
		close(nothing);
	return true;
}

static bool mourn(struct listener *listener, const struct hp_image_mark *mark)
{
	int nothing = memfd_create("gone", MFD_CLOEXEC);
	uint32_t tells = mark->mask & IN_DELETE_SELF;
	if (nothing < 0 || watch_nothing(listener, nothing, tells ? tells : IN_MOVE_SELF) != mark->wd)
		return hp_refuse("watching what is gone: %s", strerror(errno));
	listener->gone[listener->gone_count++] = nothing;
	return true;
}

static bool restore_mark(struct listener *listener, const struct hp_image_mark *mark)
{
	const char *path = (const char *)(mark + 1);
	struct hp_question question = { .op = HP_REQ_NAME, .path = path, .arg = { HP_WANT_READ, 1 } };
	if (!count_up(listener, mark->wd))
		return false;
	int64_t answer = hp_home_ask(&question);
	int wd = answer < 0 ? (int)answer : watch(listener, path, mark->mask);
	int error = answer < 0 ? (int)-answer : errno;
	if (wd < 0 && (error == ENOENT || error == ENOTDIR))
		return mourn(listener, mark);
	return wd == mark->wd || hp_refuse("watching %.150s: %s", path, wd < 0 ? strerror(error) : "another number");
}

static bool restore_listener(const struct hp_image *image, const void **marks, unsigned count)
{
	const struct hp_image_mark *first = marks[0];
	struct listener listener = { fetch(image, first->file), 1, calloc(count, sizeof(int)), 0 };
	if (listener.fd < 0 || !listener.gone)
		return hp_refuse("an inotify descriptor: %s", strerror(errno));
	for (unsigned n = 0; n < count; n++)
		if (!restore_mark(&listener, marks[n]))
			return false;
	hp_hush(listener.fd);
	for (unsigned n = 0; n < listener.gone_count; n++)
		close(listener.gone[n]);
	close(listener.fd);
	free(listener.gone);
	return true;
}

bool hp_restore_marks(const struct hp_image *image)
{
	unsigned count = image->count[HP_R_MARK], end;
	const void **marks = image->of[HP_R_MARK];
	if (count)
		qsort(marks, count, sizeof *marks, by_file_and_number);
	for (unsigned n = 0; n < count; n = end) {
		const struct hp_image_mark *first = marks[n];
		for (end = n; end < count && ((const struct hp_image_mark *)marks[end])->file == first->file;)
			end++;
		if (!restore_listener(image, marks + n, end - n))
			return false;
	}
	return true;
}
