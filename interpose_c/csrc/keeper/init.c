/* PID 1 of the job: builds its world, gives birth, buries, reports.
 *
 * Owns: the order of things and the job's end. It does not trace, holds no
 * secret, is non-dumpable (its /proc entry is root's, nobody may ptrace it)
 * and has no capability once the job exists. When the job's first process ends,
 * when the starter hangs up or dies, when the supervisor dies: everything ends.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct run {
	pid_t job;
	int wait_status; /* of the job */
	bool ended, failed;
	int exec_status; /* hp_job_spawn's pipe, -1 when read */
	struct hp_tty tty;
	struct hp_watch watch;
};

static void raise_loopback(void)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	HP_AUTO_CLOSE int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = socket_ >= 0 && ioctl(socket_, SIOCSIFFLAGS, &loopback) == 0;
	hp_protection("loopback", up, up ? NULL : strerrorname_np(errno));
}

static void open_terminal(struct hp_tty *tty, const struct hp_spec *spec)
{
	int unlocked = 0;
	struct winsize size = {.ws_row = spec->rows, .ws_col = spec->columns};
	*tty = (struct hp_tty){-1, -1};
	if (!spec->tty)
		return;
	tty->master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty->master < 0 || ioctl(tty->master, TIOCSPTLCK, &unlocked) || ioctl(tty->master, TIOCSWINSZ, &size))
		hp_die(errno, "opening the terminal");
	tty->slave = ioctl(tty->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty->slave < 0)
		hp_die(errno, "opening the terminal");
	hp_control_send_tty(tty->master);
}

/* A core piped to a program of the machine would leave the job's memory there.
 * One byte is the kernel's own way to say never (core(5)). */
static void forbid_piped_cores(void)
{
	char pattern = 0;
	HP_AUTO_CLOSE int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
	struct rlimit one = {1, 1};
	if (fd >= 0 && read(fd, &pattern, 1) == 1 && (pattern == '|' || pattern == '@'))
		setrlimit(RLIMIT_CORE, &one);
}

static void bound_processes(const struct hp_init *init)
{
	uint64_t most = init->spec->max_processes;
	if (most == 0) {
		hp_protection("processes", false, "not-asked");
		return;
	}
	if (init->cgroup->processes) {
		hp_protection("processes", true, "cgroup");
		return;
	}
	/* Counted per user and user namespace, threads included: the starter's too. */
	struct rlimit limit;
	getrlimit(RLIMIT_NPROC, &limit);
	if (limit.rlim_max > most + init->others)
		limit.rlim_max = most + init->others;
	limit.rlim_cur = limit.rlim_max;
	bool bounded = setrlimit(RLIMIT_NPROC, &limit) == 0;
	hp_protection("processes", bounded, "rlimit");
}

static void bound_memory(struct run *run, const struct hp_init *init)
{
	uint64_t most = init->spec->memory_bytes;
	hp_watch_open(&run->watch, init->cgroup->memory ? 0 : most);
	if (init->cgroup->memory)
		hp_protection("memory", true, "cgroup");
	else if (run->watch.proc >= 0)
		hp_protection("memory", true, "watched");
	else
		hp_protection("memory", false, most ? "no-cgroup-and-no-proc" : "not-asked");
}

static void build_world(struct hp_init *init, struct run *run)
{
	if (hp_cgroup_join(init->cgroup))
		hp_die(errno, "joining the control group");
	bool own_groups = unshare(CLONE_NEWCGROUP) == 0;
	hp_protection("cgroup_namespace", own_groups, own_groups ? NULL : strerrorname_np(errno));
	if (init->spec->hostname && sethostname(init->spec->hostname, strlen(init->spec->hostname)))
		hp_die(errno, "setting the host name");
	if (init->spec->network_host)
		hp_protection("network", false, "host-asked");
	else
		hp_protection("network", true, NULL), raise_loopback();
	bool closed = hp_close_user_namespaces();
	hp_protection("no_user_namespaces", closed, closed ? NULL : "proc-sys-is-read-only");
	forbid_piped_cores();
	hp_mounts_build(init->root, init->spec);
	bound_memory(run, init);
	bound_processes(init);
	open_terminal(&run->tty, init->spec);
	hp_confine(closed);
	hp_control_send_protections();
}

/* The job alone holds its stdin and stdout: their other ends must see it close them. */
static void leave_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	close(null);
}

static void reap(struct run *run)
{
	int status;
	for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
		if (pid != run->job)
			continue;
		run->ended = true;
		run->wait_status = status;
	}
}

static void read_exec_status(struct run *run)
{
	struct hp_exec_failure failure;
	ssize_t length = read(run->exec_status, &failure, sizeof failure);
	close(run->exec_status);
	run->exec_status = -1;
	if (length == sizeof failure) {
		run->failed = true;
		hp_control_send("failed %d %s", failure.error, failure.stage);
	} else if (!run->ended) {
		hp_control_send("started");
	}
}

static void signal_job(const struct run *run, int number)
{
	pid_t foreground = 0;
	if (run->tty.master >= 0)
		ioctl(run->tty.master, TIOCGPGRP, &foreground);
	if (foreground <= 0 || kill(-foreground, number))
		kill(-run->job, number);
}

static void obey(struct run *run, const struct hp_command *command)
{
	struct winsize size = {.ws_row = command->rows, .ws_col = command->columns};
	if (command->kind == HP_SIGNAL)
		signal_job(run, command->number);
	else if (command->kind == HP_KILL)
		kill(-1, SIGKILL);
	else if (command->kind == HP_RESIZE && run->tty.master >= 0)
		ioctl(run->tty.master, TIOCSWINSZ, &size);
}

/* Nobody escapes by being born meanwhile: fork fails with a kill pending. */
static void end_all(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void report_exit(const struct run *run)
{
	struct rusage used;
	getrusage(RUSAGE_CHILDREN, &used); /* whoever was reaped by a parent that was reaped counts too */
	int status = run->wait_status;
	hp_control_send("exit code=%d signal=%d utime_us=%lld stime_us=%lld maxrss_kb=%ld",
			WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
			used.ru_utime.tv_sec * 1000000ll + used.ru_utime.tv_usec,
			used.ru_stime.tv_sec * 1000000ll + used.ru_stime.tv_usec, used.ru_maxrss);
}

static void serve(struct run *run, struct hp_init *init, int children, int control)
{
	struct pollfd watched[] = {
		{children, POLLIN, 0}, {control, POLLIN, 0}, {init->alive, POLLIN, 0}, {init->starter, POLLIN, 0},
		{run->exec_status, POLLIN, 0},
	};
	while (!run->ended) {
		bool exceeded;
		int wait_ms = hp_watch_look(&run->watch, &exceeded);
		if (exceeded) {
			hp_control_send("exceeded memory");
			kill(-1, SIGKILL);
			run->watch.proc = -1;
		}
		if (poll(watched, sizeof watched / sizeof *watched, wait_ms) < 0 && errno != EINTR)
			hp_die(errno, "waiting");
		if (watched[0].revents) {
			struct signalfd_siginfo ignored;
			(void)!read(children, &ignored, sizeof ignored);
		}
		if (watched[4].revents) {
			read_exec_status(run);
			watched[4].fd = -1;
		}
		if (watched[2].revents || watched[3].revents)
			_exit(1); /* and with PID 1 everybody */
		if (watched[1].revents) {
			struct hp_command command;
			if (!hp_control_receive(&command))
				_exit(1);
			obey(run, &command);
		}
		reap(run);
	}
	if (run->exec_status >= 0)
		read_exec_status(run);
}

_Noreturn void hp_init_run(struct hp_init *init)
{
	struct run run = {.exec_status = -1};
	sigset_t births;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_NAME, "hpool-init", 0, 0, 0);
	build_world(init, &run);
	sigemptyset(&births);
	sigaddset(&births, SIGCHLD);
	sigprocmask(SIG_BLOCK, &births, NULL);
	int children = signalfd(-1, &births, SFD_CLOEXEC | SFD_NONBLOCK);
	run.job = hp_job_spawn(init->spec, &run.tty, &run.exec_status);
	if (run.job < 0)
		hp_die(-run.job, "starting the job");
	leave_stdio();
	if (run.tty.slave >= 0)
		close(run.tty.slave);
	serve(&run, init, children, hp_control_fd());
	end_all();
	if (!run.failed)
		report_exit(&run);
	_exit(0);
}
