/* A pseudo-terminal of the job's own: its settings, its session, its foreground group. */
#include "again.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static int read_line(int fd, char *to)
{
	int used = 0;
	while (used < 60 && read(fd, to + used, 1) == 1 && to[used++] != '\n')
		;
	to[used] = '\0';
	return used;
}

/* Nobody reads it yet: a whole line, and one that is not finished. */
static int type_ahead(int *master)
{
	char name[64];
	struct termios settings;
	*master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(*master >= 0 && unlockpt(*master) == 0 && ptsname_r(*master, name, sizeof name) == 0);
	int slave = open(name, O_RDWR | O_NOCTTY);
	CHECK(slave >= 0 && tcgetattr(slave, &settings) == 0);
	settings.c_lflag &= ~(tcflag_t)ECHO;
	CHECK(tcsetattr(slave, TCSANOW, &settings) == 0 && write(*master, "whole\nhaf", 9) == 9);
	return slave;
}

int main(void)
{
	char name[64], line[64];
	struct termios settings;
	struct winsize size = { .ws_row = 33, .ws_col = 77 };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 &&
	      ptsname_r(master, name, sizeof name) == 0);
	pid_t child = fork();
	if (child == 0) {
		setsid();
		int slave = open(name, O_RDWR);
		CHECK(slave >= 0 && tcgetattr(slave, &settings) == 0);
		settings.c_lflag &= ~(tcflag_t)ECHO;
		settings.c_oflag &= ~(tcflag_t)ONLCR;
		CHECK(tcsetattr(slave, TCSANOW, &settings) == 0 && ioctl(slave, TIOCSWINSZ, &size) == 0);
		CHECK(write(slave, "up\n", 3) == 3);
		while (read_line(slave, line) > 0) {
			struct winsize told;
			CHECK(ioctl(slave, TIOCGWINSZ, &told) == 0 && tcgetattr(slave, &settings) == 0);
			int ours = tcgetpgrp(slave) == getpgrp() && tcgetsid(slave) == getsid(0),
			    tty = open("/dev/tty", O_RDWR);
			dprintf(slave, "%d %d %d %d %d %s", told.ws_row, told.ws_col, !(settings.c_lflag & ECHO), ours,
				tty >= 0, line);
			close(tty);
		}
		_exit(0);
	}
	CHECK(read_line(master, line) == 3);
	int other, unread = type_ahead(&other);
	linger();
	CHECK(write(other, "\177lf\n", 4) == 4 && read_line(unread, line) == 6 && !strcmp(line, "whole\n"));
	CHECK(read_line(unread, line) == 5 && !strcmp(line, "half\n"));
	CHECK(write(master, "hello\n", 6) == 6 && read_line(master, line) > 0);
	CHECK(!strcmp(line, "33 77 1 1 1 hello\n"));
	int status;
	CHECK(write(master, "\003", 1) == 1 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGINT);
	return done();
}
