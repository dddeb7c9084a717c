/* hpool-keeper suspend INIT_PID REPORT_FD: holds a job still, as long as somebody wants it so.
 *
 * Started by the starter, as the dumper is. One datagram to REPORT_FD: `still TASKS`, or `refused
 * SENTENCE`. When the other end is closed the job goes on; it has had no signal, and no call of it
 * was interrupted that the kernel does not begin again by itself. Should this process die, it goes on, too.
 *
 * Owns: the order. Leaves to others: stopping all of them (freeze.c).
 */
#include "dump.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void tell(int report, const char *word, const char *rest)
{
	char text[700];
	int length = snprintf(text, sizeof text, "%s %s", word, rest);
	(void)!send(report, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1, MSG_NOSIGNAL);
}

static _Noreturn void work(int report)
{
	struct hp_frozen frozen;
	char number[16], word[8];
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	int failed = hp_proc_mount_own();
	if (failed) {
		tell(report, "refused", strerror(-failed));
		_exit(1);
	}
	if (!hp_stop(&frozen)) {
		tell(report, "refused", hp_refusal());
		_exit(1);
	}
	snprintf(number, sizeof number, "%u", frozen.count);
	tell(report, "still", number);
	(void)!recv(report, word, sizeof word, 0);
	hp_go_on(&frozen);
	_exit(0);
}

int hp_suspend_main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: hpool-keeper suspend INIT_PID REPORT_FD\n", stderr);
		return 125;
	}
	int report = atoi(argv[3]);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	int init = (int)syscall(SYS_pidfd_open, atoi(argv[2]), 0);
	if (init < 0 || setns(init, CLONE_NEWPID)) {
		tell(report, "refused", strerror(errno));
		return 1;
	}
	long child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0)
		work(report);
	while (waitpid((pid_t)child, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}
