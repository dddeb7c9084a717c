/* What was typed into a terminal and nobody has read: taken out, and put back as it lay there.
 *
 * The kernel tells neither how much an unfinished line has nor what it is: without ICANON it can be read. Put
 * back it must not be echoed, edited, or mean a signal once more, so it is typed again where none of that
 * happens. What is typed is taken up behind our back; that it was shows in the last key, one that stops output.
 */
#include "typed.h"

#include <asm/termbits.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TCGETS2_ 0x802C542A
#define TCSETS2_ 0x402C542B
#define SETTLES_WITHIN_MS 5000
#define DISABLED 0 /* _POSIX_VDISABLE; of what was typed it is the end of a file */

static bool is_set(int slave, const struct termios2 *mode)
{
	return ioctl(slave, TCSETS2_, mode) == 0;
}

static bool says(int slave)
{
	struct pollfd look = { slave, POLLOUT, 0 };
	return poll(&look, 1, 0) == 1 && look.revents & POLLOUT;
}

bool hp_typed_take(int slave, struct hp_typed *typed)
{
	struct termios2 mode, raw;
	ssize_t got = 0;
	if (ioctl(slave, TCGETS2_, &mode))
		return false;
	raw = mode;
	raw.c_lflag &= ~(tcflag_t)ICANON;
	raw.c_cc[VMIN] = raw.c_cc[VTIME] = 0;
	typed->count = 0;
	if (!is_set(slave, &raw))
		return false;
	while (typed->count < HP_TYPED_MOST &&
	       (got = read(slave, typed->keys + typed->count, HP_TYPED_MOST - typed->count)) > 0)
		typed->count += (unsigned)got;
	return is_set(slave, &mode) && got == 0;
}

/* One that is not among them; 0: there is none. */
static uint8_t another(const uint8_t *keys, unsigned count)
{
	for (unsigned key = 255; key > 0; key--)
		if (memchr(keys, (int)key, count) == NULL)
			return (uint8_t)key;
	return 0;
}

static bool type(int master, const uint8_t *keys, size_t count)
{
	while (count > 0) {
		struct pollfd room = { master, POLLOUT, 0 };
		ssize_t done = write(master, keys, count);
		if (done < 0 && errno == EAGAIN && poll(&room, 1, SETTLES_WITHIN_MS) == 1)
			continue;
		if (done <= 0)
			return false;
		keys += done, count -= (size_t)done;
	}
	return true;
}

bool hp_typed_put(int master, int slave, const struct hp_typed *typed)
{
	static uint8_t keys[HP_TYPED_MOST];
	struct termios2 mode, plain;
	uint8_t stop = another(typed->keys, typed->count);
	if (typed->count == 0)
		return true;
	if (stop == 0 || ioctl(slave, TCGETS2_, &mode))
		return false;
	bool by_lines = mode.c_lflag & ICANON;
	plain = mode;
	plain.c_iflag = 0;
	plain.c_lflag = by_lines ? ICANON : 0;
	memset(plain.c_cc, DISABLED, sizeof plain.c_cc);
	plain.c_cc[VMIN] = mode.c_cc[VMIN], plain.c_cc[VTIME] = mode.c_cc[VTIME];
	plain.c_cc[VEOF] = mode.c_cc[VEOF], plain.c_cc[VEOL] = mode.c_cc[VEOL], plain.c_cc[VEOL2] = mode.c_cc[VEOL2];
	plain.c_cc[VSTOP] = stop;
	if (!is_set(slave, &plain)) /* it stops nothing any more */
		return false;
	plain.c_iflag = IXON;
	memcpy(keys, typed->keys, typed->count);
	for (unsigned n = 0; by_lines && n < typed->count; n++)
		if (keys[n] == DISABLED)
			keys[n] = mode.c_cc[VEOF];
	bool fine = is_set(slave, &plain) && type(master, keys, typed->count) && type(master, &stop, 1);
	for (int waited_ms = 0; fine && says(slave); waited_ms++) {
		fine = waited_ms < SETTLES_WITHIN_MS;
		(void)poll(NULL, 0, 1); /* the kernel has no word for it */
	}
	plain.c_iflag = 0;
	return is_set(slave, &plain) && is_set(slave, &mode) && fine;
}
