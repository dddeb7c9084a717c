/* The way into a job for those who stop it from outside: a child in its PID namespace, which sees it whole.
 *
 * Owns: that way. Leaves to others: what is done there (dump.c, suspend.c), and the other namespaces.
 */
#include "dump.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

long hp_enter(pid_t first, int *init)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the job shall not look into its dumper */
	*init = (int)syscall(SYS_pidfd_open, first, 0);
	if (*init < 0 || setns(*init, CLONE_NEWPID))
		return -errno;
	long child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return child < 0 ? -errno : child;
}

int hp_enter_wait(long child)
{
	int status = 0;
	while (waitpid((pid_t)child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
