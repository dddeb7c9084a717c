/* Descriptors, and the open file descriptions they share.
 *
 * kcmp says which descriptors are one description, across all processes. Each description is
 * looked at once, through a copy of our own (pidfd_getfd). What cannot travel is refused with
 * process and number.
 */
#include "dump.h"
#include "home.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>

#define SOME 16 /* more than the restorer has open itself */
#define TTY_SLAVES 136
#define TTY_SLAVES_END 144
#define TTYS 5
#define ITS_OWN 0 /* /dev/tty */
#define PTMX 2
#define MEMORY_DEVICES 1 /* null, zero, full, random, urandom */

struct look {
	struct hp_dump *dump;
	struct hp_process *process;
	int number, fd; /* fd: ours */
	char name[4200];
	char *info;
	struct stat stat;
	struct hp_image_file file;
};

static bool cannot(const struct look *look, const char *why)
{
	return hp_refuse("process %d: descriptor %d (%.200s): %s", (int)look->process->pid, look->number, look->name,
			 why);
}

static long order(pid_t a, int fd_a, pid_t b, int fd_b)
{
	return syscall(SYS_kcmp, a, b, HP_KCMP_FILE, (unsigned long)fd_a, (unsigned long)fd_b);
}

/* 0: not seen before; it is now, as number *id. */
static bool known(struct look *look, uint32_t *id, bool *is_new)
{
	struct hp_known **at = &look->dump->known;
	*is_new = false;
	while (*at != NULL) {
		struct hp_known *other = *at;
		bool same = look->stat.st_ino == other->inode && look->stat.st_dev == other->device;
		long way = same ? order(look->process->pid, look->number, other->pid, other->fd) :
			   look->stat.st_ino != other->inode ? (look->stat.st_ino < other->inode ? 1 : 2) :
							       (look->stat.st_dev < other->device ? 1 : 2);
		if (way < 0 || way > 2)
			return cannot(look, "cannot be compared with others");
		if (way == 0) {
			*id = other->id;
			return true;
		}
		at = way == 1 ? &other->before : &other->behind;
	}
	*at = calloc(1, sizeof **at);
	if (*at == NULL)
		return hp_refuse("no memory");
	**at = (struct hp_known){ .pid = look->process->pid,
				  .fd = look->number,
				  .device = look->stat.st_dev,
				  .inode = look->stat.st_ino,
				  .id = ++look->dump->files };
	*id = (*at)->id;
	*is_new = true;
	return true;
}

static bool number_of(const struct look *look, const char *name, int base, uint64_t *value)
{
	return hp_proc_number(look->info, name, base, value) || cannot(look, "is not described by this kernel");
}

static bool dump_timer(struct look *look)
{
	struct hp_image_file *file = &look->file;
	struct itimerspec ignored;
	char name[24];
	/* One that is due again and again counts only when it is looked at: so it is looked at first. */
	(void)timerfd_gettime(look->fd, &ignored);
	snprintf(name, sizeof name, "fdinfo/%d", look->number);
	free(look->info);
	look->info = hp_proc_text(look->process->pid, name, NULL);
	if (look->info == NULL)
		return cannot(look, strerror(errno));
	file->kind = HP_F_TIMER;
	uint64_t flags;
	unsigned long value_s, value_ns, interval_s, interval_ns;
	const char *value = strstr(look->info, "it_value: ("), *interval = strstr(look->info, "it_interval: (");
	if (!number_of(look, "clockid", 10, &file->extra[0]) || !number_of(look, "ticks", 10, &file->extra[1]) ||
	    value == NULL || interval == NULL || sscanf(value, "it_value: (%lu, %lu", &value_s, &value_ns) != 2 ||
	    sscanf(interval, "it_interval: (%lu, %lu", &interval_s, &interval_ns) != 2)
		return cannot(look, "is not described by this kernel");
	if (file->extra[0] == CLOCK_REALTIME && number_of(look, "settime flags", 8, &flags))
		file->extra[4] = flags;
	file->extra[2] = value_s * 1000000000 + value_ns;
	file->extra[3] = interval_s * 1000000000 + interval_ns;
	return true;
}

/* Which descriptor still is what the one of that number was. Of those that had the number one after the other
 * the kernel counts in the order in which it lists them. */
static bool find_watched(const struct look *look, const char *line, struct hp_image_watch *watch)
{
	pid_t pid = look->process->pid;
	struct hp_kernel_epoll_slot slot = { (uint32_t)look->number, (uint32_t)watch->fd, 0 };
	int other;
	for (const char *before = strstr(look->info, "tfd:"); before < line; before = strstr(before + 4, "tfd:"))
		slot.toff += sscanf(before, "tfd: %d", &other) == 1 && other == watch->fd;
	watch->held = watch->fd;
	bool found = syscall(SYS_kcmp, pid, pid, HP_KCMP_EPOLL_TFD, (unsigned long)watch->fd, &slot) == 0;
	for (int n = 0; n < look->process->fd_count && !found; n++) {
		watch->held = look->process->fds[n];
		found = syscall(SYS_kcmp, pid, pid, HP_KCMP_EPOLL_TFD, (unsigned long)watch->held, &slot) == 0;
	}
	return found;
}

static bool dump_watches(struct look *look)
{
	pid_t pid = look->process->pid;
	look->file.kind = HP_F_EPOLL;
	for (const char *line = strstr(look->info, "tfd:"); line != NULL; line = strstr(line + 4, "tfd:")) {
		struct hp_image_watch watch = { .file = look->file.id, .pid = pid };
		unsigned long value;
		if (sscanf(line, "tfd: %d events: %x data: %lx", &watch.fd, &watch.events, &value) != 3)
			return cannot(look, "is not described by this kernel");
		watch.value = value;
		if (!find_watched(look, line, &watch))
			return cannot(look, "waits for a descriptor that has been closed or replaced since");
		hp_write_record(&look->dump->writer, HP_R_WATCH, &watch, sizeof watch, NULL, 0);
	}
	return true;
}

static bool dump_anonymous(struct look *look)
{
	struct hp_image_file *file = &look->file;
	if (strstr(look->name, "[eventfd]")) {
		file->kind = HP_F_EVENT;
		(void)hp_proc_number(look->info, "eventfd-semaphore", 10, &file->extra[1]);
		return number_of(look, "eventfd-count", 16, &file->extra[0]);
	}
	if (strstr(look->name, "[timerfd]"))
		return dump_timer(look);
	if (strstr(look->name, "[signalfd]")) {
		file->kind = HP_F_SIGNAL;
		return number_of(look, "sigmask", 16, &file->extra[0]);
	}
	if (strstr(look->name, "[eventpoll]"))
		return dump_watches(look);
	if (strstr(look->name, "inotify")) {
		file->kind = HP_F_INOTIFY;
		return hp_dump_inotify(look->dump, look->process->pid, look->number, look->fd, look->info, file->id);
	}
	if (strstr(look->name, "pidfd")) {
		file->kind = HP_F_PROCESS;
		if (!number_of(look, "Pid", 10, &file->extra[0]))
			return false;
		if ((int64_t)file->extra[0] > 0 && !hp_dump_process(look->dump, (pid_t)file->extra[0]))
			return cannot(look, "stands for a thread");
		return (int64_t)file->extra[0] > 0 || cannot(look, "the process it stands for has ended");
	}
	return cannot(look, "is of a kind that cannot be carried to another machine");
}

static bool is_stdio(struct look *look)
{
	if (S_ISCHR(look->stat.st_mode) && major(look->stat.st_rdev) == MEMORY_DEVICES)
		return false; /* /dev/null is everywhere */
	for (unsigned n = 0; n < 3; n++) {
		uint64_t *stream = look->dump->stdio[n];
		/* 1 and 2 may be one pipe: then the number it has decides as well as anything */
		if (S_ISCHR(look->stat.st_mode) ? look->stat.st_rdev != look->dump->terminal :
						  look->stat.st_dev != stream[0] || look->stat.st_ino != stream[1])
			continue;
		look->file.kind = HP_F_STDIO;
		look->file.extra[0] = n;
		return true;
	}
	return false;
}

/* Its number as a slave's, by whichever name it was opened. */
static void find_terminal(struct look *look)
{
	unsigned device;
	if (look->stat.st_rdev == makedev(TTYS, ITS_OWN) && ioctl(look->fd, TIOCGDEV, &device) == 0)
		look->stat.st_rdev = makedev(device >> 8 & 0xfff, (device & 0xff) | (device >> 12 & 0xfff00));
}

static bool dump_character_device(struct look *look)
{
	unsigned number = minor(look->stat.st_rdev), kind = major(look->stat.st_rdev);
	if (kind >= TTY_SLAVES && kind < TTY_SLAVES_END) {
		look->file.kind = HP_F_TERMINAL;
		look->file.extra[0] = 0;
		return hp_dump_object_terminal(look->dump, number, &look->file.object);
	}
	if (kind == TTYS && number == PTMX) {
		uint64_t index = 0;
		if (!number_of(look, "tty-index", 10, &index))
			return false;
		look->file.kind = HP_F_TERMINAL;
		look->file.extra[0] = 1;
		return hp_dump_object_terminal(look->dump, (unsigned)index, &look->file.object);
	}
	if (kind != MEMORY_DEVICES)
		return cannot(look, "is a device");
	look->file.kind = HP_F_NAMED;
	return hp_dump_object_named(look->dump, look->name, look->stat.st_dev, look->stat.st_ino, look->fd,
				    &look->file.object);
}

/* By O_TMPFILE: in the mirror it has a name that is not the job's. */
static bool is_nameless(const struct look *look)
{
	return !strncmp(look->name, HP_NAMELESS_DIR "/", sizeof HP_NAMELESS_DIR);
}

/* In scratch: it travels with its content, as all there do. */
static bool has_other_name(const struct look *look)
{
	static const char deleted[] = " (deleted)";
	size_t length = strlen(look->name), suffix = sizeof deleted - 1;
	return hp_is_scratch(look->name) && length > suffix && !strcmp(look->name + length - suffix, deleted);
}

static bool dump_description(struct look *look)
{
	struct hp_image_file *file = &look->file;
	mode_t type = look->stat.st_mode & S_IFMT;
	if (!strncmp(look->name, "anon_inode:", 11) || !strncmp(look->name, "pidfd:", 6))
		return dump_anonymous(look);
	if (type == S_IFCHR)
		find_terminal(look);
	if (is_stdio(look) && type == S_IFCHR)
		return hp_dump_object_terminal(look->dump, minor(look->stat.st_rdev), &file->object);
	if (file->kind == HP_F_STDIO)
		return type != S_IFIFO || (file->flags & O_ACCMODE) != O_RDONLY ||
		       hp_dump_object_pipe(look->dump, look->process->pid, look->number, look->fd, &file->object);
	if (!(file->flags & O_PATH) && hp_is_queue(look->fd)) {
		file->kind = HP_F_QUEUE;
		return hp_dump_object_queue(look->dump, look->name, look->fd, &file->object);
	}
	if (type == S_IFDIR && !(file->flags & O_PATH) && hp_is_scratch(look->name))
		file->extra[0] = hp_directory_entries(look->fd, file->position);
	if (file->flags & O_PATH || type == S_IFDIR ||
	    (type == S_IFREG && look->stat.st_nlink && !is_nameless(look) && !has_other_name(look))) {
		file->kind = HP_F_NAMED;
		return hp_dump_object_named(look->dump, look->name, look->stat.st_dev, look->stat.st_ino, look->fd,
					    &file->object);
	}
	switch (type) {
	case S_IFREG:
		file->kind = HP_F_MEMORY;
		return hp_dump_object_content(look->dump, look->fd, look->name, &file->object);
	case S_IFIFO:
		file->kind = HP_F_PIPE;
		return hp_dump_object_pipe(look->dump, look->process->pid, look->number, look->fd, &file->object);
	case S_IFSOCK:
		file->kind = HP_F_SOCKET;
		return hp_dump_object_socket(look->dump, look->process->pid, look->number, look->fd, &file->object);
	case S_IFCHR:
		return dump_character_device(look);
	default:
		return cannot(look, "is of a kind that cannot be carried to another machine");
	}
}

static bool dump_locks(struct look *look)
{
	for (const char *line = strstr(look->info, "lock:"); line != NULL; line = strstr(line + 5, "lock:")) {
		struct hp_image_lock lock = { .pid = look->process->pid, .fd = look->number };
		char kind[16], mode[16], first[24], last[24];
		if (sscanf(line, "lock: %*d: %15s %*s %15s %*s %*s %23s %23s", kind, mode, first, last) != 4)
			return cannot(look, "its locks are not described by this kernel");
		lock.kind = !strcmp(kind, "FLOCK") ? HP_L_FLOCK : !strcmp(kind, "OFDLCK") ? HP_L_OFD : HP_L_POSIX;
		if (lock.kind == HP_L_POSIX && strcmp(kind, "POSIX"))
			return cannot(look, "has a lease");
		lock.exclusive = !strcmp(mode, "WRITE");
		lock.first = strtoll(first, NULL, 10);
		lock.last = strcmp(last, "EOF") ? strtoll(last, NULL, 10) : -1;
		hp_write_record(&look->dump->writer, HP_R_LOCK, &lock, sizeof lock, NULL, 0);
	}
	return true;
}

static bool dump_descriptor(struct look *look)
{
	uint64_t flags = 0, position = 0;
	bool is_new;
	struct hp_image_fd record = { .pid = look->process->pid, .fd = look->number };
	if (!number_of(look, "flags", 8, &flags) || !number_of(look, "pos", 10, &position) ||
	    !known(look, &record.file, &is_new))
		return false;
	record.cloexec = (flags & O_CLOEXEC) != 0;
	if (is_new) {
		look->file.id = record.file;
		look->file.flags = (uint32_t)flags & ~(uint32_t)O_CLOEXEC;
		look->file.position = (int64_t)position;
		look->fd = (int)syscall(SYS_pidfd_getfd, look->process->pidfd, look->number, 0);
		bool fine = look->fd >= 0 ? dump_description(look) : cannot(look, strerror(errno));
		if (fine && !(flags & O_PATH))
			fine = hp_dump_owner(look->dump, look->process->pid, look->number, look->fd);
		if (look->fd >= 0)
			close(look->fd);
		if (!fine)
			return false;
		hp_write_record(&look->dump->writer, HP_R_FILE, &look->file, sizeof look->file, NULL, 0);
	}
	hp_write_record(&look->dump->writer, HP_R_FD, &record, sizeof record, NULL, 0);
	/* a lock of a description shows in each process that has it */
	return !(is_new || strstr(look->info, "POSIX")) || dump_locks(look);
}

/* While a job is made again, all it has open lies above its highest number. */
static bool has_room(const struct hp_dump *dump, const struct hp_process *process)
{
	struct rlimit most;
	unsigned highest = process->fd_count ? (unsigned)process->fds[process->fd_count - 1] : 0;
	return getrlimit(RLIMIT_NOFILE, &most) || highest + dump->files + dump->objects + SOME < most.rlim_max ||
	       hp_refuse("process %d: descriptor %u: with all that is open there is no room above it for restoring, up "
			 "to RLIMIT_NOFILE",
			 (int)process->pid, highest);
}

bool hp_dump_files(struct hp_dump *dump, struct hp_process *process)
{
	for (int n = 0; n < process->fd_count; n++) {
		struct look look = { .dump = dump, .process = process, .number = process->fds[n], .fd = -1 };
		char path[48];
		snprintf(path, sizeof path, "%d/fd/%d", (int)process->pid, look.number);
		ssize_t length = readlinkat(hp_proc, path, look.name, sizeof look.name - 1);
		if (length < 0 || fstatat(hp_proc, path, &look.stat, 0))
			return cannot(&look, strerror(errno));
		look.name[length] = '\0';
		snprintf(path, sizeof path, "fdinfo/%d", look.number);
		look.info = hp_proc_text(process->pid, path, NULL);
		if (look.info == NULL)
			return cannot(&look, strerror(errno));
		bool fine = dump_descriptor(&look);
		free(look.info);
		if (!fine)
			return false;
	}
	return has_room(dump, process);
}
