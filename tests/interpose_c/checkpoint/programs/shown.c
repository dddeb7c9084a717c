/* Terminals of the job's own: what they have shown and nobody has read, stopped, in packets, for one only,
 * not opened yet, closed again, without their other end; and each opening of one by itself. */
#include "again.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#define MUCH 3500
#define LARGEFILE 0100000

struct pair {
	int master, slave;
	char name[64];
};

static struct pair open_master(void)
{
	struct pair pair = { .slave = -1 };
	pair.master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	CHECK(pair.master >= 0 && unlockpt(pair.master) == 0);
	CHECK(ptsname_r(pair.master, pair.name, sizeof pair.name) == 0);
	return pair;
}

static struct pair open_pair(void)
{
	struct pair pair = open_master();
	pair.slave = open(pair.name, O_RDWR | O_NOCTTY);
	CHECK(pair.slave >= 0);
	return pair;
}

static void say(int fd, const char *text)
{
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void await(int fd, short what)
{
	struct pollfd look = { fd, what, 0 };
	CHECK(poll(&look, 1, 5000) == 1 && look.revents & what);
}

static void expect(int fd, const char *text)
{
	char found[MUCH + 100];
	size_t used = 0, length = strlen(text);
	while (used < length) {
		await(fd, POLLIN);
		ssize_t got = read(fd, found + used, length - used);
		CHECK(got > 0);
		used += (size_t)got;
	}
	CHECK(!memcmp(found, text, length));
}

static short ready(int fd, short what)
{
	struct pollfd look = { fd, what, 0 };
	CHECK(poll(&look, 1, 0) >= 0);
	return look.revents & what;
}

static void no_echo(int fd)
{
	struct termios settings;
	CHECK(tcgetattr(fd, &settings) == 0);
	settings.c_lflag &= ~(tcflag_t)ECHO;
	CHECK(tcsetattr(fd, TCSANOW, &settings) == 0);
}

static void await_stop(int slave)
{
	while (ready(slave, POLLOUT))
		usleep(1000);
}

int main(void)
{
	static char much[MUCH + 1];
	const struct winsize size = { .ws_row = 11, .ws_col = 22 };
	struct winsize told;
	int on = 1, off = 0;
	char packet[100];
	signal(SIGHUP, SIG_IGN);

	struct pair plain = open_pair(), echoed = open_pair(), full = open_pair(), key = open_pair(),
		    call = open_pair();
	say(plain.slave, "one\ntwo\tthree");
	say(echoed.master, "typed\nhalf");
	memset(much, 'm', MUCH);
	say(full.slave, much);
	no_echo(key.slave);
	say(key.slave, "before");
	say(key.master, "\023");
	await_stop(key.slave);
	say(call.slave, "seen");
	CHECK(tcflow(call.slave, TCOOFF) == 0);

	struct pair packets = open_pair(), alone = open_pair(), unopened = open_master(), locked = open_master();
	CHECK(ioctl(packets.master, TIOCPKT, &on) == 0);
	say(packets.slave, "in packets");
	CHECK(ioctl(alone.slave, TIOCEXCL) == 0);
	CHECK(ioctl(unopened.master, TIOCSWINSZ, &size) == 0 && ioctl(locked.master, TIOCSPTLCK, &on) == 0);
	struct pair closed = open_pair(), hung = open_pair(), twice = open_pair();
	say(closed.slave, "last words");
	await(closed.master, POLLIN);
	close(closed.slave);
	close(hung.master);
	int reader = open(twice.name, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	CHECK(reader >= 0);

	linger();

	expect(plain.master, "one\r\ntwo\tthree");
	CHECK(!ready(plain.master, POLLIN));
	expect(echoed.master, "typed\r\nhalf");
	expect(echoed.slave, "typed\n");
	say(echoed.master, "\n");
	expect(echoed.slave, "half\n");
	expect(full.master, much);
	CHECK(!ready(full.master, POLLIN));
	CHECK(!ready(key.slave, POLLOUT));
	expect(key.master, "before");
	say(key.master, "\021");
	await(key.slave, POLLOUT);
	expect(call.master, "seen");
	CHECK(!ready(call.slave, POLLOUT) && tcflow(call.slave, TCOON) == 0 && ready(call.slave, POLLOUT));

	CHECK(read(packets.master, packet, sizeof packet) == 11 && packet[0] == TIOCPKT_DATA);
	CHECK(!memcmp(packet + 1, "in packets", 10) && tcflush(packets.slave, TCIFLUSH) == 0);
	CHECK(read(packets.master, packet, sizeof packet) == 1 && packet[0] == TIOCPKT_FLUSHREAD);
	CHECK(ioctl(alone.slave, TIOCGEXCL, &off) == 0 && off == 1);
	say(alone.slave, "still");
	expect(alone.master, "still");
	CHECK(!ready(unopened.master, POLLHUP) && !ready(locked.master, POLLHUP));
	CHECK(read(unopened.master, packet, sizeof packet) < 0 && errno == EAGAIN);
	CHECK(open(locked.name, O_RDWR | O_NOCTTY) < 0 && errno == EIO);
	unopened.slave = open(unopened.name, O_RDWR | O_NOCTTY);
	CHECK(unopened.slave >= 0 && ioctl(unopened.slave, TIOCGWINSZ, &told) == 0);
	CHECK(told.ws_row == size.ws_row && told.ws_col == size.ws_col);
	expect(closed.master, "last words");
	CHECK(ready(closed.master, POLLHUP) && read(closed.master, packet, sizeof packet) < 0 && errno == EIO);
	CHECK(read(hung.slave, packet, sizeof packet) == 0 && write(hung.slave, "x", 1) < 0 && errno == EIO);
	CHECK(fcntl(twice.slave, F_GETFL) == (O_RDWR | LARGEFILE));
	CHECK(fcntl(reader, F_GETFL) == (O_RDONLY | O_NONBLOCK | LARGEFILE));
	return done();
}
