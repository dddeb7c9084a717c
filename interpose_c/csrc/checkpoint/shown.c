/* What a terminal has shown and nobody has read: taken out at its other end, and shown once more.
 *
 * It gets there behind the back of whoever has written it; that all of it has shows in a mark written last.
 */
#include "shown.h"

#include <asm/termbits.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#define TCGETS2_ 0x802C542A
#define TCSETS2_ 0x402C542B
#define SETTLES_WITHIN_MS 5000
#define FULL_FOR_MS 50 /* longer it is only if it has been stopped */
#define MARK 16

static bool may_be_written(int slave)
{
	struct pollfd look = { slave, POLLOUT, 0 };
	return poll(&look, 1, 0) == 1 && look.revents & POLLOUT;
}

/* What has come after so long at most. */
static bool read_some(int master, struct hp_shown *shown, int wait_ms)
{
	struct pollfd look = { master, POLLIN, 0 };
	int there = 0;
	while (poll(&look, 1, wait_ms) == 1 && look.revents & POLLIN) {
		if (ioctl(master, FIONREAD, &there) || (unsigned)there > HP_SHOWN_MOST - shown->count)
			return false;
		ssize_t got = there ? read(master, shown->bytes + shown->count, (size_t)there) : 0;
		if (got <= 0)
			return got == 0;
		shown->count += (unsigned)got;
		wait_ms = 0;
	}
	return true;
}

/* Sets the mode in which nothing is altered or stopped. */
static bool let_flow(int master, int slave, struct hp_shown *shown, enum hp_flow *flow)
{
	struct termios2 mode;
	*flow = HP_FLOWS;
	for (int waited_ms = 0; shown && !may_be_written(slave) && waited_ms < FULL_FOR_MS; waited_ms++)
		if (!read_some(master, shown, 1))
			return false;
	bool is_stopped = !may_be_written(slave);
	if (ioctl(slave, TCGETS2_, &mode))
		return false;
	mode.c_oflag &= ~(tcflag_t)OPOST;
	mode.c_iflag &= ~(tcflag_t)IXON; /* ends what a key has stopped */
	if (ioctl(slave, TCSETS2_, &mode))
		return false;
	if (is_stopped && may_be_written(slave))
		*flow = HP_FLOW_KEY;
	else if (is_stopped && ioctl(slave, TCXONC, TCOON) == 0 && may_be_written(slave))
		*flow = HP_FLOW_CALL;
	return true;
}

bool hp_shown_let_flow(int slave, enum hp_flow *flow)
{
	struct termios2 mode;
	return ioctl(slave, TCGETS2_, &mode) == 0 && let_flow(-1, slave, NULL, flow) &&
	       ioctl(slave, TCSETS2_, &mode) == 0;
}

static bool read_to_mark(int master, int slave, struct hp_shown *shown)
{
	uint8_t mark[MARK];
	unsigned written = 0;
	if (getrandom(mark, sizeof mark, 0) != sizeof mark)
		return false;
	for (int waited_ms = 0; waited_ms < SETTLES_WITHIN_MS; waited_ms++) {
		ssize_t more = written < MARK ? write(slave, mark + written, MARK - written) : 0;
		if (more < 0 && errno != EAGAIN)
			return false;
		written += more > 0 ? (unsigned)more : 0;
		if (!read_some(master, shown, 1))
			return false;
		if (written < MARK || shown->count < MARK || memcmp(shown->bytes + shown->count - MARK, mark, MARK))
			continue;
		shown->count -= MARK;
		return true;
	}
	return false;
}

bool hp_shown_take(int master, int slave, struct hp_shown *shown, enum hp_flow *flow)
{
	struct termios2 mode;
	shown->count = 0;
	if (ioctl(slave, TCGETS2_, &mode))
		return false;
	bool fine = read_some(master, shown, 0) && let_flow(master, slave, shown, flow) &&
		    read_to_mark(master, slave, shown);
	return ioctl(slave, TCSETS2_, &mode) == 0 && fine;
}

bool hp_shown_put(int master, int slave, const struct hp_shown *shown)
{
	struct termios2 mode, plain;
	struct pollfd there = { master, POLLIN, 0 };
	if (shown->count == 0)
		return true;
	if (ioctl(slave, TCGETS2_, &mode))
		return false;
	plain = mode;
	plain.c_oflag &= ~(tcflag_t)OPOST;
	bool fine = ioctl(slave, TCSETS2_, &plain) == 0;
	for (unsigned done = 0; fine && done < shown->count;) {
		struct pollfd room = { slave, POLLOUT, 0 };
		ssize_t more = write(slave, shown->bytes + done, shown->count - done);
		fine = more > 0 || (more < 0 && errno == EAGAIN && poll(&room, 1, SETTLES_WITHIN_MS) == 1);
		done += more > 0 ? (unsigned)more : 0;
	}
	return ioctl(slave, TCSETS2_, &mode) == 0 && fine && poll(&there, 1, SETTLES_WITHIN_MS) == 1;
}

bool hp_shown_stop(int master, int slave, enum hp_flow flow)
{
	struct termios2 mode;
	if (flow == HP_FLOWS)
		return true;
	if (flow == HP_FLOW_CALL)
		return ioctl(slave, TCXONC, TCOOFF) == 0;
	bool fine = ioctl(slave, TCGETS2_, &mode) == 0 && write(master, &mode.c_cc[VSTOP], 1) == 1;
	for (int waited_ms = 0; fine && may_be_written(slave); waited_ms++) {
		fine = waited_ms < SETTLES_WITHIN_MS;
		(void)poll(NULL, 0, 1); /* the kernel has no word for it */
	}
	return fine;
}
