/* What inotify descriptors of the job watch.
 *
 * The kernel tells inodes. Home's starter knows the names of those of the mirror; of scratch every name is
 * looked at anyway (dump_names.c). Whether a name leads to the inode that is meant is asked of the kernel in the
 * same terms, by a watch of our own: st_dev need not be the device that it speaks of (inotify(7), fdinfo).
 *
 * What has been heard and not read yet cannot be looked at, only taken, and given back by nobody: such a
 * descriptor is refused, if the job has not read it within a moment (dump.c). What is heard afterwards is our own
 * doing.
 */
#include "dump.h"
#include "home.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define KEPT (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK)
#define BY_LOOKING (IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE)

struct hp_mark {
	struct hp_mark *next;
	uint64_t inode;
	uint32_t device, mask, file; /* device: as the kernel writes it */
	int32_t wd;
	bool found;
};

struct hp_listener {
	struct hp_listener *next;
	int fd;
};

static bool read_line(const char *line, struct hp_mark *mark)
{
	return line && sscanf(line, "inotify wd:%x ino:%lx sdev:%x mask:%x", (unsigned *)&mark->wd, &mark->inode,
			      &mark->device, &mark->mask) == 4;
}

static bool listen(struct hp_dump *dump, int fd)
{
	struct hp_listener *listener = malloc(sizeof *listener);
	if (!listener)
		return hp_refuse("no memory");
	*listener = (struct hp_listener){ dump->listeners, dup(fd) };
	dump->listeners = listener;
	return listener->fd >= 0 || hp_refuse("an inotify descriptor: %s", strerror(errno));
}

bool hp_dump_inotify(struct hp_dump *dump, pid_t pid, int number, int fd, const char *info, uint32_t file)
{
	int waiting = 0;
	if (ioctl(fd, FIONREAD, &waiting) || waiting)
		return hp_refuse("process %d: descriptor %d (inotify): has heard of changes that nobody has read yet",
				 (int)pid, number);
	if (!listen(dump, fd))
		return false;
	for (const char *line = strstr(info, "inotify wd:"); line; line = strstr(line + 1, "inotify wd:")) {
		struct hp_mark *mark = calloc(1, sizeof *mark);
		if (!mark)
			return hp_refuse("no memory");
		if (!read_line(line, mark))
			return hp_refuse("process %d: descriptor %d (inotify): is not described by this kernel",
					 (int)pid, number);
		if (mark->wd > HP_WD_MOST)
			return hp_refuse("process %d: descriptor %d (inotify): has watched too much already (%d)",
					 (int)pid, number, mark->wd);
		mark->file = file;
		mark->next = dump->marks[mark->inode % 256];
		dump->marks[mark->inode % 256] = mark;
	}
	return true;
}

static bool has_unread(pid_t pid, int process, int number)
{
	char path[48], name[24] = "";
	int waiting = 0;
	snprintf(path, sizeof path, "%d/fd/%d", (int)pid, number);
	if (readlinkat(hp_proc, path, name, sizeof name - 1) < 0 || !strstr(name, "inotify"))
		return false;
	int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
	bool unread = fd >= 0 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting;
	if (fd >= 0)
		close(fd);
	return unread;
}

bool hp_has_unread(const struct hp_frozen *frozen)
{
	bool unread = false;
	for (unsigned n = 0; n < frozen->count && !unread && hp_home_is_watched(); n++) {
		pid_t pid = frozen->tasks[n].pid, *fds = NULL;
		char path[24];
		if (n && frozen->tasks[n - 1].pid == pid)
			continue;
		snprintf(path, sizeof path, "%d/fd", (int)pid);
		int process = (int)syscall(SYS_pidfd_open, pid, 0), count = hp_proc_list(path, &fds);
		for (int at = 0; at < count && !unread; at++)
			unread = has_unread(pid, process, fds[at]);
		free(fds);
		if (process >= 0)
			close(process);
	}
	return unread;
}

/* False also where the kernel does not tell of IN_ONESHOT and IN_EXCL_UNLINK (before 5.19). */
static bool leads_to(const char *path, const struct hp_mark *mark)
{
	static int probe = -1;
	struct hp_mark own = { .mask = 0 };
	char name[24];
	if (probe < 0)
		probe = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int wd = inotify_add_watch(probe, path, IN_DONT_FOLLOW | IN_ONESHOT | IN_DELETE_SELF);
	snprintf(name, sizeof name, "fdinfo/%d", probe);
	char *info = wd < 0 ? NULL : hp_proc_text(getpid(), name, NULL);
	bool same = info && read_line(strstr(info, "inotify wd:"), &own) && own.mask & IN_ONESHOT &&
		    own.inode == mark->inode && own.device == mark->device;
	free(info);
	if (wd >= 0)
		(void)inotify_rm_watch(probe, wd);
	return same;
}

static void write_mark(struct hp_dump *dump, struct hp_mark *mark, const char *path)
{
	struct hp_image_mark record = {
		.file = mark->file, .wd = mark->wd, .mask = mark->mask & KEPT, .path_bytes = (uint32_t)strlen(path) + 1
	};
	const struct hp_part part = { path, record.path_bytes };
	hp_write_record(&dump->writer, HP_R_MARK, &record, sizeof record, &part, 1);
	mark->found = true;
}

bool hp_dump_marked(struct hp_dump *dump, const char *path, uint64_t inode)
{
	for (struct hp_mark *mark = dump->marks[inode % 256]; mark; mark = mark->next) {
		if (mark->found || mark->inode != inode || !leads_to(path, mark))
			continue;
		if (mark->mask & IN_ONESHOT && mark->mask & BY_LOOKING)
			return hp_refuse("%s is watched for being opened once (IN_ONESHOT), as it is by a dump", path);
		write_mark(dump, mark, path);
	}
	return true;
}

bool hp_dump_marks(struct hp_dump *dump)
{
	char path[4200];
	for (unsigned n = 0; n < 256; n++)
		for (struct hp_mark *mark = dump->marks[n]; mark; mark = mark->next) {
			if (mark->found)
				continue;
			if (!hp_home_path(mark->inode, path, sizeof path) || !leads_to(path, mark))
				return hp_refuse(
					"inotify watches inode %lu, which has no name any more or none of home's",
					(unsigned long)mark->inode);
			write_mark(dump, mark, path);
		}
	return true;
}

void hp_dump_hush(struct hp_dump *dump)
{
	for (struct hp_listener *listener = dump->listeners; listener; listener = listener->next)
		hp_hush(listener->fd);
}
