/* The job's own terminals: pairs of its own, and the one that PID 1 was told to open for it. */
#include "restore.h"
#include "shown.h"
#include "typed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define TCSETS2_ 0x402C542B
#define TERMIOS2_BYTES 44
#define STATE_BYTES (TERMIOS2_BYTES + sizeof(struct winsize))
#define TERMINALS_MOST 64
#define LARGEFILE 0100000 /* in the C library's eyes 0, but F_GETFL tells it */

static int open_slave(int master, int flags)
{
	int slave = ioctl(master, TIOCGPTPEER, flags | O_NOCTTY);
	if (slave < 0)
		hp_together_fail(errno, "opening a terminal");
	return slave;
}

/* Of one that nobody has opened yet: by its other end. */
static void set_state(const struct hp_image_object *object, int fd)
{
	uint8_t state[STATE_BYTES];
	if (object->extra_bytes < sizeof state)
		hp_together_fail(EBADMSG, "state of a terminal");
	memcpy(state, hp_image_extra(object), sizeof state);
	if (ioctl(fd, TCSETS2_, state) || ioctl(fd, TIOCSWINSZ, state + TERMIOS2_BYTES))
		hp_together_fail(errno, "settings of a terminal");
}

static void settle(const struct hp_image_object *object, int master)
{
	static struct hp_typed typed;
	static struct hp_shown shown;
	int slave = open_slave(master, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	set_state(object, slave);
	uint64_t rest = object->extra_bytes - STATE_BYTES;
	if (object->extra[2] > HP_SHOWN_MOST || object->extra[2] > rest || rest - object->extra[2] > HP_TYPED_MOST)
		hp_together_fail(EBADMSG, "state of a terminal");
	shown.count = (unsigned)object->extra[2];
	typed.count = (unsigned)(rest - shown.count);
	memcpy(typed.keys, hp_image_extra(object) + STATE_BYTES, typed.count);
	memcpy(shown.bytes, hp_image_extra(object) + STATE_BYTES + typed.count, shown.count);
	if (!hp_typed_put(master, slave, &typed))
		hp_together_fail(errno, "what was typed into a terminal");
	if (!hp_shown_put(master, slave, &shown) || !hp_shown_stop(master, slave, (enum hp_flow)object->extra[1]))
		hp_together_fail(errno, "what a terminal has shown");
	close(slave);
}

/* ---- the job's own ------------------------------------------------------------------------------ */

static int own_master = -1;

void hp_keep_terminal(int number)
{
	own_master = fcntl(HP_KEPT_TERMINAL, F_DUPFD_CLOEXEC, number + 1);
}

/* ---- pairs ---------------------------------------------------------------------------------------- */

static int open_master(unsigned index)
{
	int tried[TERMINALS_MOST], count = 0, unlocked = 0, fd = -1;
	unsigned number = ~0u;
	while (count < TERMINALS_MOST && number != index) {
		fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
		if (fd < 0 || ioctl(fd, TIOCGPTN, &number) || ioctl(fd, TIOCSPTLCK, &unlocked))
			hp_together_fail(errno, "opening a terminal");
		tried[count++] = fd;
	}
	if (number != index)
		hp_together_fail(EBUSY, "terminal %u", index);
	while (count > 1)
		close(tried[--count - 1]);
	return fd;
}

/* A master is one description, however often it is found; of a slave each was opened. */
static void open_again(const struct hp_image *image, const struct hp_image_file *file, int master)
{
	int fd = file->extra[0] ? fcntl(master, F_DUPFD, image->high) :
				  open_slave(master, (int)file->flags & (O_ACCMODE | O_NONBLOCK | LARGEFILE));
	if (fd < 0 || fcntl(fd, F_SETFL, (int)file->flags & O_NONBLOCK))
		hp_together_fail(errno, "descriptor of a terminal");
	hp_put_fd(fd, hp_fd_of_file(image, file->id));
}

static void make_pair(const struct hp_image *image, const struct hp_image_object *object)
{
	int on = 1, master = open_master((unsigned)object->inode), slave = -1;
	if (object->extra[0] & HP_T_UNOPENED)
		set_state(object, master);
	else if (!(object->extra[0] & HP_T_HUNG_UP))
		slave = open_slave(master, O_RDWR), settle(object, master);
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	if (file->object == object->id && file->kind == HP_F_TERMINAL)
		open_again(image, file, master);
	if ((object->extra[0] & HP_T_PACKETS && ioctl(master, TIOCPKT, &on)) ||
	    (object->extra[0] & HP_T_LOCKED && ioctl(master, TIOCSPTLCK, &on)))
		hp_together_fail(errno, "settings of a terminal");
	if (slave >= 0)
		hp_put_fd(slave, hp_fd_of_object(image, object->id));
	close(master);
}

static const struct hp_image_file *file_of(const struct hp_image *image, uint32_t object, uint32_t kind)
{
	HP_EACH(image, hp_image_file, HP_R_FILE, file)
	if (file->object == object && file->kind == kind)
		return file;
	return NULL;
}

void hp_make_terminals(const struct hp_image *image)
{
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	{
		if (object->kind != HP_O_TERMINAL)
			continue;
		if (file_of(image, object->id, HP_F_STDIO))
			settle(object, own_master);
		if (file_of(image, object->id, HP_F_TERMINAL))
			make_pair(image, object);
	}
}

/* ---- from outside --------------------------------------------------------------------------------- */

bool hp_restore_terminals(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_fd, HP_R_FD, fd)
	HP_EACH(to->image, hp_image_file, HP_R_FILE, file)
	{
		if (fd->pid != to->process->pid || fd->file != file->id || file->kind != HP_F_TERMINAL ||
		    file->extra[0])
			continue;
		const struct hp_image_object *object = hp_image_object(to->image, file->object);
		if (!(object->extra[0] & HP_T_EXCLUSIVE))
			continue;
		long error = HP_ASK(&to->leader, SYS_ioctl, fd->fd, TIOCEXCL);
		if (error)
			return hp_refuse("process %d: a terminal: %s", (int)to->process->pid, strerror((int)-error));
	}
	return true;
}
