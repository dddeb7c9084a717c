/* How a process of the job asks to be traced: a socket in the mirror's private place.
 *
 * Who asks is known from the kernel, and can only ask for itself. PID 1 starts a
 * tracer for it and goes on: it never traces and never waits.
 */
#include "keeper.h"
#include "tracer.h"

#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define WAITING 64
#define ANSWER 3

int hp_summons_open(void)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX, .sun_path = HP_TRACER_PATH };
	int place = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (place < 0)
		return -errno;
	if (bind(place, (struct sockaddr *)&where, sizeof where) || chmod(HP_TRACER_PATH, 0666) ||
	    listen(place, WAITING)) {
		int failed = -errno;
		close(place);
		return failed;
	}
	return place;
}

static _Noreturn void trace(pid_t process, int asker)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (asker != ANSWER)
		dup2(asker, ANSWER);
	syscall(SYS_close_range, ANSWER + 1, ~0u, 0);
	hp_tracer_run(process, ANSWER);
}

void hp_summons_take(int place)
{
	HP_AUTO_CLOSE int asker = accept4(place, NULL, NULL, SOCK_CLOEXEC);
	struct ucred who;
	socklen_t length = sizeof who;
	if (asker < 0 || getsockopt(asker, SOL_SOCKET, SO_PEERCRED, &who, &length) || who.pid <= 1)
		return;
	long tracer = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (tracer == 0)
		trace(who.pid, asker);
	if (tracer < 0) {
		int failed = errno;
		(void)!write(asker, &failed, sizeof failed);
	}
}
