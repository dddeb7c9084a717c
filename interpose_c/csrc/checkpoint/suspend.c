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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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
	int init;
	long child = hp_enter(atoi(argv[2]), &init);
	if (child < 0) {
		tell(report, "refused", strerror((int)-child));
		return 1;
	}
	if (child == 0)
		work(report);
	return hp_enter_wait(child);
}
