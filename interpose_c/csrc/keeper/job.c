/* The job's first process, from fork to the loader's exec.
 *
 * Owns: session, terminal, signals, limits, directory, descriptors. It has been
 * confined already (PID 1 was); what it does here an ordinary process may do.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "hpool/shm.h"

#define LOADER "/.hpool/loader" /* HP_LOADER_PATH of hpool/shm.h */
#define STATUS 3

static _Noreturn void give_up(int status, const char *stage)
{
	struct hp_exec_failure failure = { .error = errno };
	snprintf(failure.stage, sizeof failure.stage, "%s", stage);
	(void)!write(status, &failure, sizeof failure);
	_exit(127);
}

/* As the submitter's own child would find them: nothing of ours. */
static void set_signals(const struct hp_spec *spec)
{
	/* not by libc, which keeps two numbers to itself; the kernel's struct begins with the handler */
	for (int number = 1; number < NSIG; number++) {
		unsigned long action[4] = { (unsigned long)(spec->ignored >> (number - 1) & 1 ? SIG_IGN : SIG_DFL) };
		syscall(SYS_rt_sigaction, number, action, NULL, sizeof spec->ignored);
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &spec->blocked, NULL, sizeof spec->blocked);
}

static void take_terminal(int status, int slave)
{
	if (ioctl(slave, TIOCSCTTY, 0))
		give_up(status, "terminal");
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(slave, fd) < 0)
			give_up(status, "terminal");
}

/* As asked, but never above what we have: raising it takes a privilege. */
static void set_limits(int status, const struct hp_spec *spec)
{
	for (unsigned n = 0; n < spec->limit_count; n++) {
		const struct hp_limit *limit = &spec->limits[n];
		struct rlimit now, want = limit->value;
		if (limit->resource == RLIMIT_AS) { /* core/limits.c takes it off again */
			want.rlim_cur += want.rlim_cur > RLIM_INFINITY - HP_MAPPED_BYTES ? 0 : HP_MAPPED_BYTES;
			want.rlim_max += want.rlim_max > RLIM_INFINITY - HP_MAPPED_BYTES ? 0 : HP_MAPPED_BYTES;
		}
		if (getrlimit(limit->resource, &now))
			give_up(status, "limits");
		if (want.rlim_max > now.rlim_max)
			want.rlim_max = now.rlim_max;
		if (want.rlim_cur > want.rlim_max)
			want.rlim_cur = want.rlim_max;
		if (setrlimit(limit->resource, &want))
			give_up(status, "limits");
	}
}

static _Noreturn void become_the_job(const struct hp_spec *spec, const struct hp_tty *tty, int status)
{
	/* Else as a shell starts it, in PID 1's session: stop signals stop, a terminal it opens stays a file. */
	if (spec->own_session || tty->slave >= 0)
		setsid();
	else if (setpgid(0, 0))
		give_up(status, "process group");
	if (tty->slave >= 0)
		take_terminal(status, tty->slave);
	if (status != STATUS && dup3(status, STATUS, O_CLOEXEC) < 0)
		give_up(status, "descriptors");
	syscall(SYS_close_range, STATUS + 1, ~0u, 0);
	if (chdir(spec->cwd))
		give_up(STATUS, "chdir");
	umask(spec->umask < 0 ? 022 : (mode_t)spec->umask);
	set_signals(spec);
	set_limits(STATUS, spec);
	for (int fd = 0; fd <= 2; fd++)
		if (spec->closed >> fd & 1)
			close(fd);
	(void)hp_signal_only_each_other(); /* an older kernel's job may end itself with kill(-1) */
	execve(LOADER, spec->argv, spec->envp);
	give_up(STATUS, "exec");
}

int hp_job_spawn(const struct hp_spec *spec, const struct hp_tty *tty, int *status)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	/* Not fork(): no handlers, and the child is to be told apart by 0 alone. */
	long job = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (job == 0)
		become_the_job(spec, tty, ends[1]);
	int failed = -errno;
	close(ends[1]);
	*status = ends[0];
	return job < 0 ? failed : (int)job;
}
