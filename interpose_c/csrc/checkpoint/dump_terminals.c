/* Terminals: their settings, their size, what was typed or shown and not read yet.
 *
 * What the job's own terminal shows has been taken by the starter. One that nobody has opened yet is not
 * opened here either: its other end would be told when that is over.
 */
#include "dump.h"
#include "kernel.h"
#include "shown.h"
#include "typed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#define TCGETS2_ 0x802C542A
#define TERMIOS2_BYTES 44
#define TERMIOS2_LOCAL 12
#define SLAVES 136

static bool is_device(pid_t pid, int fd, dev_t device)
{
	char path[48];
	struct stat found;
	snprintf(path, sizeof path, "%d/fd/%d", (int)pid, fd);
	return fstatat(hp_proc, path, &found, 0) == 0 && S_ISCHR(found.st_mode) && found.st_rdev == device;
}

static bool is_slave_of(pid_t pid, int fd, unsigned index)
{
	return is_device(pid, fd, makedev(SLAVES, index));
}

static bool is_master_of(pid_t pid, int fd, unsigned index)
{
	char info[32];
	uint64_t number = ~0ull;
	if (!is_device(pid, fd, makedev(5, 2)))
		return false;
	snprintf(info, sizeof info, "fdinfo/%d", fd);
	char *text = hp_proc_text(pid, info, NULL);
	bool is = text && hp_proc_number(text, "tty-index", 10, &number) && number == index;
	free(text);
	return is;
}

/* A descriptor of our own; -1: nobody has it. */
static int find_end(struct hp_dump *dump, bool (*is_end)(pid_t, int, unsigned), unsigned index)
{
	for (unsigned n = 0; n < dump->count; n++)
		for (int at = 0; at < dump->processes[n].fd_count; at++)
			if (is_end(dump->processes[n].pid, dump->processes[n].fds[at], index))
				return (int)syscall(SYS_pidfd_getfd, dump->processes[n].pidfd,
						    dump->processes[n].fds[at], 0);
	return -1;
}

static bool is_ready(int fd, short what)
{
	struct pollfd look = { fd, what, 0 };
	return poll(&look, 1, 0) == 1 && look.revents & what;
}

struct ends {
	int master, slave, theirs; /* theirs: a slave's descriptor that is the job's too, or -1 */
	bool is_its_own;
	struct hp_image_object object;
	uint8_t state[TERMIOS2_BYTES + sizeof(struct winsize)];
	struct hp_typed typed;
	struct hp_shown shown;
	enum hp_flow flow;
};

static bool cannot(const struct ends *ends, const char *why)
{
	return hp_refuse("terminal %u: %s", (unsigned)ends->object.inode, why);
}

static bool read_settings(struct ends *ends, int fd)
{
	return (ioctl(fd, TCGETS2_, ends->state) == 0 && ioctl(fd, TIOCGWINSZ, ends->state + TERMIOS2_BYTES) == 0) ||
	       cannot(ends, strerror(errno));
}

/* Everything goes back, whatever fails. */
static bool read_content(struct ends *ends)
{
	bool known = ends->is_its_own ? hp_shown_let_flow(ends->slave, &ends->flow) :
					hp_shown_take(ends->master, ends->slave, &ends->shown, &ends->flow);
	bool taken = hp_typed_take(ends->slave, &ends->typed);
	bool fine = hp_typed_put(ends->master, ends->slave, &ends->typed);
	fine = (ends->is_its_own || hp_shown_put(ends->master, ends->slave, &ends->shown)) && fine;
	return (hp_shown_stop(ends->master, ends->slave, ends->flow) && known && taken && fine) ||
	       cannot(ends, "what is in it cannot be read");
}

static bool read_opened(struct ends *ends)
{
	int packets = 0, off = 0, on = 1, exclusive = 0;
	uint64_t *flags = &ends->object.extra[0];
	if (ioctl(ends->master, TIOCGPKT, &packets) == 0 && packets && is_ready(ends->master, POLLPRI))
		return cannot(ends, "has not told yet what happened to it (TIOCPKT)");
	if (ends->theirs >= 0 && ioctl(ends->theirs, TIOCGEXCL, &exclusive) == 0 && exclusive)
		(void)ioctl(ends->theirs, TIOCNXCL);
	ends->slave = ioctl(ends->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	bool fine = ends->slave >= 0 || cannot(ends, strerror(errno));
	if (fine && packets)
		fine = ioctl(ends->master, TIOCPKT, &off) == 0 || cannot(ends, strerror(errno));
	fine = fine && read_settings(ends, ends->slave) && read_content(ends);
	if (packets)
		(void)ioctl(ends->master, TIOCPKT, &on), *flags |= HP_T_PACKETS;
	if (ends->slave >= 0)
		close(ends->slave);
	if (exclusive)
		(void)ioctl(ends->theirs, TIOCEXCL), *flags |= HP_T_EXCLUSIVE;
	return fine;
}

/* What may have been typed shows by its echo only. */
static bool read_unopened(struct ends *ends)
{
	int locked = 0;
	tcflag_t local;
	if (!read_settings(ends, ends->master) || ioctl(ends->master, TIOCGPTLCK, &locked))
		return cannot(ends, strerror(errno));
	memcpy(&local, ends->state + TERMIOS2_LOCAL, sizeof local);
	ends->object.extra[0] = HP_T_UNOPENED | (locked ? HP_T_LOCKED : 0);
	return (local & ECHO && !is_ready(ends->master, POLLIN)) ||
	       cannot(ends, "may have been typed into before anybody opened it");
}

static bool read_ends(struct ends *ends)
{
	if (ends->is_its_own || ends->theirs >= 0 || is_ready(ends->master, POLLHUP))
		return read_opened(ends);
	return read_unopened(ends);
}

bool hp_dump_object_terminal(struct hp_dump *dump, unsigned index, uint32_t *id)
{
	static struct ends ends;
	bool made, fine = true;
	*id = hp_dump_thing(dump, 0, index, HP_O_TERMINAL, &made);
	if (!made)
		return *id != 0;
	memset(&ends, 0, sizeof ends);
	ends.object = (struct hp_image_object){ .id = *id, .kind = HP_O_TERMINAL, .inode = index };
	ends.is_its_own = dump->terminal && minor(dump->terminal) == index;
	ends.master = ends.is_its_own ? fcntl(dump->terminal_master, F_DUPFD_CLOEXEC, 0) :
					find_end(dump, is_master_of, index);
	ends.theirs = find_end(dump, is_slave_of, index);
	if (ends.master >= 0)
		fine = read_ends(&ends);
	else
		ends.object.extra[0] = HP_T_HUNG_UP;
	ends.object.extra[1] = ends.flow;
	ends.object.extra[2] = ends.shown.count;
	const struct hp_part parts[] = { { ends.state, sizeof ends.state },
					 { ends.typed.keys, ends.typed.count },
					 { ends.shown.bytes, ends.shown.count } };
	ends.object.extra_bytes = (uint32_t)(parts[0].length + parts[1].length + parts[2].length);
	if (fine)
		hp_write_record(&dump->writer, HP_R_OBJECT, &ends.object, sizeof ends.object, parts, 3);
	if (ends.master >= 0)
		close(ends.master);
	if (ends.theirs >= 0)
		close(ends.theirs);
	return fine;
}
