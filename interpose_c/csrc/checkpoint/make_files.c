/* Open file descriptions, made once and inherited by all processes of the job.
 *
 * They wait at high numbers (restore.h), are moved to where each process has them, and are
 * closed with the rest. What only the process itself can open comes last (hp_place_files).
 */
#include "home.h"
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define TMPFILE_BIT 020000000
/* O_ASYNC: at opening it is noted and has no effect, not later either */
#define AT_OPENING (O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | TMPFILE_BIT | O_CLOEXEC | O_ASYNC)
#define SET_TICKS _IOW('T', 0, uint64_t)
#define SETTABLE (O_APPEND | O_NONBLOCK | O_ASYNC | O_NOATIME | O_DIRECT)

void hp_put_fd(int fd, int at)
{
	if (fd != at && (dup2(fd, at) < 0 || close(fd)))
		hp_together_fail(errno, "descriptor %d", at);
}

static int reopen(int fd, int flags)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, (flags & ~(AT_OPENING | O_NOFOLLOW | O_DIRECTORY)) | O_NOCTTY);
}

/* ---- objects ------------------------------------------------------------------------------ */

/* A file without a name, of scratch: who has opened it as that (O_TMPFILE) may still give it one, who has taken
 * its name away gets none. That description, or NULL. */
static const struct hp_image_file *namer_of(const struct hp_image *image, uint32_t object)
{
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	if (file->object == object && file->kind == HP_F_MEMORY && file->flags & TMPFILE_BIT)
		return hp_scratch_of(hp_image_path(hp_image_object(image, object))) ? file : NULL;
	return NULL;
}

static int fresh_memory(const struct hp_image *image, const struct hp_image_object *object)
{
	char name[200];
	const char *path = hp_image_path(object), *place = object->path_bytes ? hp_scratch_of(path) : NULL;
	const struct hp_image_file *namer = place ? namer_of(image, object->id) : NULL;
	if (namer)
		return open(place, O_TMPFILE | ((int)namer->flags & (O_ACCMODE | O_SYNC)), 0600);
	if (place)
		return open(place, O_TMPFILE | O_RDWR | O_EXCL, 0600);
	if (object->path_bytes && !strncmp(path, "/memfd:", 7))
		path += 7;
	snprintf(name, sizeof name, "%.199s", object->path_bytes ? path : "");
	char *deleted = strstr(name, " (deleted)");
	if (deleted)
		*deleted = '\0';
	return memfd_create(name, MFD_ALLOW_SEALING);
}

static void make_memory(const struct hp_image *image, const struct hp_image_object *object)
{
	const char *name = object->path_bytes ? hp_image_path(object) : "";
	int fd = fresh_memory(image, object);
	if (fd < 0 || ftruncate(fd, (off_t)object->size))
		hp_together_fail(errno, "memory file %.100s", name);
	HP_EACH_RUN(image, object->id, run)
	for (uint64_t done = 0; done < run->bytes;) {
		ssize_t part = pwrite(fd, image->pages + run->pages + done, run->bytes - done, (off_t)(run->at + done));
		if (part <= 0)
			hp_together_fail(errno, "content of memory file %.100s", name);
		done += (uint64_t)part;
	}
	hp_put_fd(fd, hp_fd_of_object(image, object->id));
}

/* When all who have it open have opened it: its rights may be fewer than theirs. */
static void settle_memory(const struct hp_image *image)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	if (object->kind == HP_O_MEMORY && !image->index[object->id].has_name &&
	    fchmod(hp_fd_of_object(image, object->id), object->mode & 07777))
		hp_together_fail(errno, "rights of a memory file");
}

/* One that has lost its name had it for a moment only. */
static int open_fifo(const struct hp_image_object *object)
{
	const char *name = object->seals ? "/tmp/.hpool-fifo" : hp_image_path(object);
	if (object->seals && mkfifo(name, 0600))
		return -1;
	int fd = open(name, O_RDWR | O_NONBLOCK | O_NOCTTY);
	if (object->seals && (unlink(name) || fchmod(fd, object->mode & 07777)))
		return -1;
	return fd;
}

/* The first description of each end is the pipe's own; more of them are opened. */
static void keep_end(const struct hp_image *image, uint32_t object, int mode, int fd)
{
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	{
		if (file->kind != HP_F_PIPE || file->object != object || ((int)file->flags & O_ACCMODE) != mode)
			continue;
		if (fcntl(fd, F_SETFL, (int)file->flags & SETTABLE))
			hp_together_fail(errno, "flags of a pipe");
		hp_put_fd(fd, hp_fd_of_file(image, file->id));
		return;
	}
	close(fd);
}

static void make_pipe(const struct hp_image *image, const struct hp_image_object *object)
{
	int ends[2];
	if (object->path_bytes) {
		ends[0] = open_fifo(object);
		ends[1] = ends[0];
	} else if (pipe(ends)) {
		ends[0] = -1;
	}
	if (ends[0] < 0)
		hp_together_fail(errno, "making a pipe");
	(void)fcntl(ends[1], F_SETPIPE_SZ, (int)object->size);
	if (object->extra_bytes && write(ends[1], hp_image_extra(object), object->extra_bytes) != object->extra_bytes)
		hp_together_fail(errno, "filling a pipe");
	/* one descriptor that is both ends: who opens it again waits for nobody */
	int both = object->path_bytes ? ends[0] : reopen(ends[0], O_RDWR | O_NONBLOCK);
	if (both < 0)
		hp_together_fail(errno, "opening a pipe again");
	if (!object->path_bytes) {
		keep_end(image, object->id, O_RDONLY, ends[0]);
		keep_end(image, object->id, O_WRONLY, ends[1]);
	}
	hp_put_fd(both, hp_fd_of_object(image, object->id));
}

/* ---- descriptions -------------------------------------------------------------------------- */

static int make_named(const struct hp_image *image, const struct hp_image_file *file)
{
	const struct hp_image_object *object = hp_image_object(image, file->object);
	const char *path = hp_image_path(object);
	struct stat found;
	int flags = ((int)file->flags & ~AT_OPENING) | O_NOCTTY | (file->flags & O_PATH ? 0 : O_NONBLOCK);
	int fd = hp_home_is_there() ? hp_home_open(path, flags) : open(path, flags);
	if (fd < 0)
		hp_together_fail(errno, "opening %.150s again", path);
	if (fstat(fd, &found) || (found.st_mode & S_IFMT) != (object->mode & S_IFMT))
		hp_together_fail(ESTALE, "%.150s is not what it was", path);
	if (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode))
		(void)lseek(fd, file->position, SEEK_SET);
	if (S_ISDIR(found.st_mode) && file->extra[0] && !hp_directory_seek(fd, file->extra[0]))
		hp_together_fail(ESTALE, "%.150s has fewer entries", path);
	if (file->flags & O_DSYNC)
		hp_home_syncs();
	if (!(file->flags & O_PATH) && fcntl(fd, F_SETFL, (int)file->flags & SETTABLE))
		hp_together_fail(errno, "flags of %.150s", path);
	return fd;
}

/* A time of day stays that; everything else goes on where it was. */
static int make_timer(const struct hp_image *image, const struct hp_image_file *file)
{
	uint64_t first_ns = file->extra[2];
	int absolute = first_ns ? (int)file->extra[4] & (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) : 0;
	if (absolute)
		first_ns += (uint64_t)image->job->realtime_ns;
	int fd = timerfd_create((clockid_t)file->extra[0], (int)file->flags & TFD_NONBLOCK);
	const struct itimerspec left = {
		.it_value = { (time_t)(first_ns / 1000000000), (long)(first_ns % 1000000000) },
		.it_interval = { (time_t)(file->extra[3] / 1000000000), (long)(file->extra[3] % 1000000000) },
	};
	if (fd < 0 || timerfd_settime(fd, absolute, &left, NULL) ||
	    (file->extra[1] && ioctl(fd, SET_TICKS, &file->extra[1])))
		hp_together_fail(errno, "making a timer descriptor");
	return fd;
}

static int make_event(const struct hp_image_file *file)
{
	int fd = eventfd(0, ((int)file->flags & EFD_NONBLOCK) | (file->extra[1] ? EFD_SEMAPHORE : 0));
	if (fd < 0 || (file->extra[0] && write(fd, &file->extra[0], 8) != 8))
		hp_together_fail(errno, "making an event descriptor");
	return fd;
}

static int make_stdio(const struct hp_image *image, const struct hp_image_file *file)
{
	const struct hp_image_object *unread = hp_image_object(image, file->object);
	if (unread && unread->kind == HP_O_TERMINAL) { /* it may have been opened often */
		int opened = reopen((int)file->extra[0], (int)file->flags);
		if (opened < 0)
			hp_together_fail(errno, "opening the job's terminal");
		return opened;
	}
	int fd = fcntl((int)file->extra[0], F_DUPFD, image->high), control = fcntl(fd, F_GETFL);
	if (fd < 0 || fcntl(fd, F_SETFL, (control & ~SETTABLE) | ((int)file->flags & SETTABLE)))
		hp_together_fail(errno, "the job's stream %d", (int)file->extra[0]);
	if (unread && unread->kind == HP_O_PIPE && unread->extra_bytes) {
		(void)fcntl(fd, F_SETPIPE_SZ, (int)unread->size);
		int writer = reopen(fd, O_WRONLY | O_NONBLOCK);
		if (writer < 0 || write(writer, hp_image_extra(unread), unread->extra_bytes) != unread->extra_bytes)
			hp_together_fail(errno, "what the job had not read yet");
		close(writer);
	}
	return fd;
}

static bool by_process(const struct hp_image *image, const struct hp_image_file *file)
{
	return file->kind == HP_F_PROCESS || hp_is_of_proc(image, file);
}

static int make_opened(const struct hp_image *image, const struct hp_image_file *file)
{
	int fd, settable = (int)file->flags & SETTABLE & ~O_ASYNC;
	if (image->index[file->object].has_name)
		fd = open(hp_image_name_of(image, file->object), ((int)file->flags & ~AT_OPENING) | O_NOCTTY);
	else if (file == namer_of(image, file->object))
		fd = dup(hp_fd_of_object(image, file->object));
	else
		fd = reopen(hp_fd_of_object(image, file->object), (int)file->flags);
	if (fd < 0 || fcntl(fd, F_SETFL, settable))
		hp_together_fail(errno, "opening a file without a name again");
	(void)lseek(fd, file->position, SEEK_SET);
	return fd;
}

/* What it opens depends on who opens it, and when: restore_settings.c */
static int keep_place(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		hp_together_fail(errno, "opening /dev/null");
	return fd;
}

static int make_file(const struct hp_image *image, const struct hp_image_file *file)
{
	sigset_t mask;
	int fd = -1, nonblock = (int)file->flags & O_NONBLOCK;
	switch ((enum hp_image_file_kind)file->kind) {
	case HP_F_NAMED:
		return make_named(image, file);
	case HP_F_MEMORY:
		return make_opened(image, file);
	case HP_F_PIPE:
	case HP_F_QUEUE:
		fd = reopen(hp_fd_of_object(image, file->object), (int)file->flags);
		break;
	case HP_F_EVENT:
		return make_event(file);
	case HP_F_TIMER:
		return make_timer(image, file);
	case HP_F_SIGNAL:
		memset(&mask, 0, sizeof mask);
		memcpy(&mask, &file->extra[0], 8);
		fd = signalfd(-1, &mask, nonblock);
		break;
	case HP_F_EPOLL:
		fd = epoll_create1(0);
		break;
	case HP_F_INOTIFY: /* what it watches: restore_marks.c */
		hp_home_watches();
		fd = inotify_init1(nonblock);
		if (fd >= 0 && file->flags & O_ASYNC && fcntl(fd, F_SETFL, (int)file->flags & SETTABLE))
			hp_together_fail(errno, "flags of an inotify descriptor");
		break;
	case HP_F_STDIO:
		return make_stdio(image, file);
	case HP_F_PROCESS:
		fd = (int)syscall(SYS_pidfd_open, (pid_t)file->extra[0], nonblock | ((int)file->flags & O_EXCL));
		break;
	default:
		break;
	}
	if (fd < 0)
		hp_together_fail(errno, "making descriptor of kind %u again", file->kind);
	return fd;
}

static bool is_stream(const struct hp_image *image, uint32_t object)
{
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	if (file->object == object && file->kind == HP_F_STDIO)
		return true;
	return false;
}

void hp_make_files(const struct hp_image *image)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	{
		if (object->kind == HP_O_MEMORY && !image->index[object->id].has_name)
			make_memory(image, object);
		else if (object->kind == HP_O_PIPE && !is_stream(image, object->id))
			make_pipe(image, object);
	}
	hp_make_sockets(image);
	hp_make_terminals(image);
	hp_make_queues(image);
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	if (file->kind != HP_F_SOCKET && file->kind != HP_F_TERMINAL && !by_process(image, file) &&
	    fcntl(hp_fd_of_file(image, file->id), F_GETFD) < 0)
		hp_put_fd(make_file(image, file), hp_fd_of_file(image, file->id));
	hp_settle_queues(image);
	settle_memory(image);
	hp_settle_names(image);
}

/* ---- in each process -------------------------------------------------------------------------- */

static void take_lock(const struct hp_image_lock *lock)
{
	struct flock range = { .l_type = lock->exclusive ? F_WRLCK : F_RDLCK,
			       .l_start = lock->first,
			       .l_len = lock->last < 0 ? 0 : lock->last - lock->first + 1 };
	int refused = hp_home_lock(lock);
	if (refused)
		hp_together_fail(refused, "taking a lock again, at home");
	if (lock->kind == HP_L_POSIX)
		return; /* natively by the restorer: it is the process's own */
	int failed = lock->kind == HP_L_FLOCK ? flock(lock->fd, (lock->exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) :
						fcntl(lock->fd, F_OFD_SETLK, &range);
	if (failed)
		hp_together_fail(errno, "taking a lock again");
	refused = hp_home_locked(lock);
	if (refused)
		hp_together_fail(refused, "taking a lock again, at home");
}

static void close_others(const struct hp_image *image, pid_t pid)
{
	int next = 0;
	/* of one process they come by rising number */
	HP_EACH(image, hp_image_fd, HP_R_FD, fd)
	{
		if (fd->pid != pid)
			continue;
		if (fd->fd > next)
			syscall(SYS_close_range, next, fd->fd - 1, 0);
		next = fd->fd + 1;
	}
	if (next < image->high)
		syscall(SYS_close_range, next, image->high - 1, 0);
}

/* It has, or for a moment gets, the number it had when the epoll was told. */
static void add_watch(const struct hp_image *image, const struct hp_image_watch *watch)
{
	struct epoll_event event = { .events = watch->events, .data.u64 = watch->value };
	bool is_there = watch->held == watch->fd;
	int aside = is_there ? -1 : fcntl(watch->fd, F_DUPFD, image->high);
	if ((!is_there && dup2(watch->held, watch->fd) < 0) ||
	    epoll_ctl(hp_fd_of_file(image, watch->file), EPOLL_CTL_ADD, watch->fd, &event))
		hp_together_fail(errno, "descriptor %d of an epoll", watch->fd);
	if (aside >= 0)
		hp_put_fd(aside, watch->fd);
	else if (!is_there)
		close(watch->fd);
}

void hp_place_files(const struct hp_image *image, const struct hp_image_process *process)
{
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	{
		bool mine = false;
		HP_EACH(image, hp_image_fd, HP_R_FD, fd)
		mine |= fd->pid == process->pid && fd->file == file->id;
		if (mine && by_process(image, file))
			hp_put_fd(file->kind == HP_F_PROCESS ? make_file(image, file) : keep_place(),
				  hp_fd_of_file(image, file->id));
	}
	close_others(image, process->pid);
	HP_EACH(image, hp_image_fd, HP_R_FD, fd)
	if (fd->pid == process->pid && dup2(hp_fd_of_file(image, fd->file), fd->fd) < 0)
		hp_together_fail(errno, "descriptor %d of process %d", fd->fd, (int)fd->pid);
	HP_EACH(image, hp_image_watch, HP_R_WATCH, watch)
	if (watch->pid == process->pid && !hp_is_proc_at(image, watch->pid, watch->held))
		add_watch(image, watch);
	HP_EACH(image, hp_image_lock, HP_R_LOCK, lock)
	if (lock->pid == process->pid)
		take_lock(lock);
}
