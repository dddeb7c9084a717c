/* Terminals: their settings, their size, what was typed and not read yet.
 *
 * What a terminal shows has been taken by the starter (the job's own terminal), or lies in a queue that only
 * reading tells of: who has a terminal of that kind is refused while something does.
 */
#include "dump.h"
#include "kernel.h"
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
#include <unistd.h>

#define TCGETS2_ 0x802C542A
#define TERMIOS2_BYTES 44

static bool is_master_of(pid_t pid, int fd, unsigned index)
{
	char path[48], info[32];
	struct stat found;
	uint64_t number = ~0ull;
	snprintf(path, sizeof path, "%d/fd/%d", (int)pid, fd);
	if (fstatat(hp_proc, path, &found, 0) || !S_ISCHR(found.st_mode) || found.st_rdev != makedev(5, 2))
		return false;
	snprintf(info, sizeof info, "fdinfo/%d", fd);
	char *text = hp_proc_text(pid, info, NULL);
	bool is = text && hp_proc_number(text, "tty-index", 10, &number) && number == index;
	free(text);
	return is;
}

/* A descriptor of our own; -1: nobody has it. */
static int master_of(struct hp_dump *dump, unsigned index)
{
	if (dump->terminal && minor(dump->terminal) == index)
		return fcntl(dump->terminal_master, F_DUPFD_CLOEXEC, 0);
	for (unsigned n = 0; n < dump->count; n++)
		for (int at = 0; at < dump->processes[n].fd_count; at++)
			if (is_master_of(dump->processes[n].pid, dump->processes[n].fds[at], index))
				return (int)syscall(SYS_pidfd_getfd, dump->processes[n].pidfd,
						    dump->processes[n].fds[at], 0);
	return -1;
}

static bool is_silent(int master)
{
	struct pollfd look = { master, POLLIN, 0 };
	return poll(&look, 1, 0) == 0 || !(look.revents & POLLIN);
}

static bool dump_terminal(struct hp_dump *dump, int master, int slave, struct hp_image_object *object)
{
	static struct hp_typed typed;
	static uint8_t extra[TERMIOS2_BYTES + sizeof(struct winsize) + HP_TYPED_MOST];
	bool is_its_own = dump->terminal && minor(dump->terminal) == object->inode;
	if (!is_its_own && !is_silent(master))
		return hp_refuse("terminal %u has shown what nobody has read", (unsigned)object->inode);
	bool taken = hp_typed_take(slave, &typed);
	if (!hp_typed_put(master, slave, &typed) || !taken)
		return hp_refuse("terminal %u: what was typed cannot be read", (unsigned)object->inode);
	if (ioctl(slave, TCGETS2_, extra) || ioctl(slave, TIOCGWINSZ, extra + TERMIOS2_BYTES))
		return hp_refuse("terminal %u: %s", (unsigned)object->inode, strerror(errno));
	memcpy(extra + TERMIOS2_BYTES + sizeof(struct winsize), typed.keys, typed.count);
	object->extra_bytes = TERMIOS2_BYTES + (uint32_t)sizeof(struct winsize) + typed.count;
	struct hp_part part = { extra, object->extra_bytes };
	hp_write_record(&dump->writer, HP_R_OBJECT, object, sizeof *object, &part, 1);
	return true;
}

bool hp_dump_object_terminal(struct hp_dump *dump, unsigned index, uint32_t *id)
{
	bool made;
	*id = hp_dump_thing(dump, 0, index, HP_O_TERMINAL, &made);
	if (!made)
		return *id != 0;
	struct hp_image_object object = { .id = *id, .kind = HP_O_TERMINAL, .inode = index };
	int master = master_of(dump, index);
	int slave = master < 0 ? -1 : ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool fine = slave >= 0 ? dump_terminal(dump, master, slave, &object) :
				 hp_refuse("terminal %u has lost its other end", index);
	if (slave >= 0)
		close(slave);
	if (master >= 0)
		close(master);
	return fine;
}
