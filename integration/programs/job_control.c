/* Sessions and job control on a terminal: controlling terminal, foreground group, SIGTTIN, SIGTTOU, SIGTSTP, SIGCONT, SIGHUP. */
#include <pty.h>
#include <sys/ioctl.h>
#include "sig.h"

static int tty, slave, ready[2], go[2];

static volatile int said;

static void says(int number)
{
	printf("%s\n", sigabbrev_np(number));
	said++;
}

static void counts(int number)
{
	(void)number;
	said++;
}

/* What is written to a terminal arrives when the kernel gets round to it. */
static void until_said(int times)
{
	while (said < times)
		nap(1000);
}

static void stopped(const char *what, pid_t pid)
{
	int status;
	MUST(waitpid(pid, &status, WUNTRACED | WCONTINUED));
	show_status(what, status);
}

/* A shell: its own session, the slave as its terminal, two jobs. */
static void shell(void)
{
	char byte;
	TRY(setsid());
	TRY(setsid());
	YES(getsid(0) == getpid() && getpgrp() == getpid());
	TRY(tcgetpgrp(slave));
	TRY(ioctl(slave, TIOCSCTTY, 0));
	YES(tcgetpgrp(slave) == getpid());
	YES(tcgetsid(slave) == getpid());
	int by_name = TRY(open("/dev/tty", O_RDWR));
	YES(by_name >= 0 && isatty(by_name));
	signal(SIGTTOU, SIG_IGN);
	pid_t job = MUST(fork());
	if (job == 0) {
		signal(SIGTTOU, SIG_DFL);
		on(SIGCONT, counts, SA_RESTART);
		setpgid(0, 0);
		byte = 0;
		read(slave, &byte, 1); /* in the background */
		printf("reader got %c after SIGCONT %d\n", byte, said);
		TRY(tcsetpgrp(slave, getpgrp()));
		_exit(5);
	}
	TRY(setpgid(job, job));
	stopped("reading job", job);
	TRY(tcsetpgrp(slave, job));
	YES(tcgetpgrp(slave) == job);
	TRY(killpg(job, SIGCONT));
	stopped("reading job", job);
	MUST(write(tty, "x\n", 2));
	stopped("reading job", job);
	TRY(tcsetpgrp(slave, getpgrp()));
	job = MUST(fork());
	if (job == 0) {
		struct termios mode;
		signal(SIGTTOU, SIG_DFL);
		setpgid(0, 0);
		MUST(tcgetattr(slave, &mode));
		mode.c_lflag |= TOSTOP;
		MUST(tcsetattr(slave, TCSANOW, &mode)); /* from the background */
		MUST(read(go[0], &byte, 1));
		_exit(6);
	}
	stopped("changing job", job);
	TRY(tcsetpgrp(slave, job));
	TRY(kill(job, SIGCONT));
	stopped("changing job", job);
	MUST(write(go[1], "g", 1));
	stopped("changing job", job);
	TRY(tcsetpgrp(slave, getpgrp()));
	job = MUST(fork());
	if (job == 0) {
		setpgid(0, 0);
		tcsetpgrp(slave, getpgrp());
		signal(SIGTTOU, SIG_DFL);
		for (;;)
			pause();
	}
	while (tcgetpgrp(slave) != job)
		nap(1000);
	MUST(write(tty, "\x1a", 1)); /* ^Z */
	stopped("foreground job", job);
	TRY(kill(-job, SIGCONT));
	stopped("foreground job", job);
	MUST(write(tty, "\x03", 1)); /* ^C */
	stopped("foreground job", job);
	TRY(tcsetpgrp(slave, getpgrp()));
	job = MUST(fork());
	if (job == 0) {
		setpgid(0, 0);
		tcsetpgrp(slave, getpgrp());
		on(SIGQUIT, says, 0);
		on(SIGWINCH, says, 0);
		write(tty, "\x1c", 1); /* ^\ */
		until_said(1);
		struct winsize size = { 33, 44, 0, 0 };
		MUST(ioctl(tty, TIOCSWINSZ, &size));
		until_said(2);
		MUST(ioctl(slave, TIOCGWINSZ, &size));
		printf("%d rows %d columns\n", size.ws_row, size.ws_col);
		_exit(7);
	}
	stopped("job with handlers", job);
	TRY(tcsetpgrp(slave, getpgrp()));
	TRY(tcsetpgrp(slave, 999999));
	TRY(setpgid(0, 0));
	TRY(setpgid(getppid(), 0));
	/* the end of the leader: its group gets SIGHUP, the terminal is nobody's */
	job = MUST(fork());
	if (job == 0) {
		on(SIGHUP, counts, 0);
		MUST(write(ready[1], "r", 1));
		until_said(1);
		read(go[0], &byte, 1);
		printf("HUP %d\n", said);
		YES(open("/dev/tty", O_RDWR) < 0);
		_exit(8);
	}
	MUST(read(ready[0], &byte, 1));
	_exit(9);
}

int main(void)
{
	MUST(pipe(ready));
	MUST(pipe(go));
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	MUST(openpty(&tty, &slave, NULL, NULL, NULL));
	pid_t pid = MUST(fork());
	if (pid == 0)
		shell();
	show_wait("shell", pid);
	MUST(write(go[1], "g", 1));
	int status;
	pid_t orphan = MUST(wait(&status));
	YES(orphan > 0 && orphan != pid);
	show_status("orphan", status);
	return 0;
}
