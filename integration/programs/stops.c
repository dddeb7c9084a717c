/* The program's own group: stop signals stop its processes, as somebody outside of the group could let them go on;
 * a terminal that is opened is no more than a file. */
#include <pty.h>
#include "sig.h"

static void stopped_by(int number)
{
	pid_t child = MUST(fork());
	int status;
	if (child == 0) {
		MUST(kill(getpid(), number));
		_exit(number == SIGSTOP);
	}
	MUST(waitpid(child, &status, WUNTRACED));
	show_status(sigabbrev_np(number), status);
	YES(getpgid(child) == getpgrp());
	MUST(kill(child, SIGCONT));
	MUST(waitpid(child, &status, 0));
	show_status("then", status);
}

int main(void)
{
	const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
	int tty, slave;
	char name[100];
	for (unsigned i = 0; i < sizeof(stops) / sizeof(*stops); i++)
		stopped_by(stops[i]);
	MUST(openpty(&tty, &slave, name, NULL, NULL));
	close(slave);
	slave = MUST(open(name, O_RDWR));
	TRY(tcgetsid(slave));
	TRY(tcgetpgrp(slave));
	TRY(setpgid(0, 0));
	YES(getpgrp() == getpid());
	YES(getsid(0) != getpid());
	stopped_by(SIGTSTP);
	TRY(setsid()); /* it leads a group now */
	pid_t child = MUST(fork());
	if (child == 0) {
		YES(getsid(0) != getpid());
		TRY(setsid());
		YES(getsid(0) == getpid());
		_exit(0);
	}
	show_wait("child", child);
	return 0;
}
