/* PID 1 of the job: has its world built, gives birth, buries, reports.
 *
 * Owns: the job's beginning and end. It holds no secret, is
 * non-dumpable (its /proc entry is root's, nobody may ptrace it) and has no
 * capability once the job exists. When the job's first process ends,
 * when the starter hangs up or dies, when the supervisor dies: everything ends.
 */
#include "keeper.h"
#include "../checkpoint/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

struct run {
	pid_t job;
	int wait_status; /* of the job */
	bool ended, failed;
	int exec_status; /* hp_job_spawn's pipe, -1 when read */
	pid_t restorer; /* 0: it has ended, or the job began here */
	int restorer_status; /* -1: not yet */
	struct hp_tty tty;
	struct hp_watch watch;
	int summons; /* -1: nobody is traced here */
};

/* What the job's streams are: the dumper looks here. O_PATH keeps no pipe open. */
static void keep_streams(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		char path[24];
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		int kept = open(path, O_PATH | O_CLOEXEC);
		if (kept >= 0 && kept != HP_KEPT_STDIO + fd)
			dup3(kept, HP_KEPT_STDIO + fd, O_CLOEXEC), close(kept);
	}
}

/* The job alone holds its stdin and stdout: their other ends must see it close them. */
static void leave_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	close(null);
}

/* Who had itself traced by its parent, and that is us, stops for nobody: it goes on untraced. */
static void let_go(pid_t pid, int number)
{
	siginfo_t info;
	/* an exec raises it for a tracer alone */
	if (number == SIGTRAP && ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0 && info.si_code == SI_USER &&
	    info.si_pid == pid)
		number = 0;
	(void)ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)number);
}

/* Nobody escapes by being born meanwhile: fork fails with a kill pending. */
static void end_all(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* As if this machine had died. What holds memory back from the job is closed when nobody of it is left. */
static _Noreturn void lose_all(void)
{
	end_all();
	_exit(1);
}

static void reap(struct run *run)
{
	int status;
	for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
		if (WIFSTOPPED(status)) {
			let_go(pid, WSTOPSIG(status));
			continue;
		}
		if (pid == run->restorer)
			run->restorer_status = status;
		if (pid != run->job)
			continue;
		run->ended = true;
		run->wait_status = status;
	}
}

/* For the dumper, too. */
static void keep_process(pid_t pid, int at)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process >= 0)
		dup3(process, at, O_CLOEXEC), close(process);
}

/* As long as the job does not run, read_exec_status says what was wrong. Later there is memory missing that nobody
 * else can give. */
static void hear_of_restorer(struct run *run)
{
	if (run->restorer == 0 || run->restorer_status < 0 || run->exec_status >= 0 || run->ended)
		return;
	if (run->restorer_status)
		lose_all();
	run->restorer = 0;
	hp_control_send("restored");
}

static void read_exec_status(struct run *run)
{
	struct hp_exec_failure failure;
	ssize_t length = read(run->exec_status, &failure, sizeof failure);
	close(run->exec_status);
	run->exec_status = -1;
	if (length == sizeof failure) {
		run->failed = run->ended = true;
		hp_control_send("failed %d %s", failure.error, failure.stage);
	} else {
		keep_process(run->job, HP_KEPT_FIRST);
		hp_control_send("started");
	}
}

static void signal_job(const struct run *run, int number)
{
	pid_t foreground = 0;
	if (run->tty.master >= 0)
		ioctl(run->tty.master, TIOCGPGRP, &foreground);
	if ((foreground <= 0 || kill(-foreground, number)) && kill(-run->job, number))
		kill(run->job, number); /* it has left its group */
}

static void obey(struct run *run, const struct hp_command *command)
{
	struct winsize size = { .ws_row = command->rows, .ws_col = command->columns };
	if (command->kind == HP_SIGNAL)
		signal_job(run, command->number), hp_control_send("signalled");
	else if (command->kind == HP_KILL)
		kill(-1, SIGKILL);
	else if (command->kind == HP_RESIZE && run->tty.master >= 0)
		ioctl(run->tty.master, TIOCSWINSZ, &size);
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

static void serve(struct run *run, const struct hp_init *init, int children, int control)
{
	struct pollfd watched[] = {
		{ children, POLLIN, 0 },      { control, POLLIN, 0 },          { init->alive, POLLIN, 0 },
		{ init->starter, POLLIN, 0 }, { run->exec_status, POLLIN, 0 }, { run->summons, POLLIN, 0 },
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
		if (watched[5].revents)
			hp_summons_take(run->summons);
		if (watched[2].revents || watched[3].revents)
			lose_all();
		if (watched[1].revents) {
			struct hp_command command;
			if (!hp_control_receive(&command))
				lose_all();
			obey(run, &command);
		}
		reap(run);
		hear_of_restorer(run);
	}
	if (run->exec_status >= 0)
		read_exec_status(run);
}

_Noreturn void hp_init_run(const struct hp_init *init)
{
	struct run run = { .exec_status = -1, .restorer_status = -1 };
	sigset_t births;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_NAME, "hpool-init", 0, 0, 0);
	setsid(); /* the job's first session: a number that the job can see */
	struct hp_restoring restoring;
	hp_world_build(init, &run.tty, &run.watch, &run.summons, &restoring);
	run.exec_status = restoring.status;
	run.restorer = restoring.restorer;
	if (run.restorer)
		keep_process(run.restorer, HP_KEPT_RESTORER);
	sigemptyset(&births);
	sigaddset(&births, SIGCHLD);
	sigprocmask(SIG_BLOCK, &births, NULL);
	int children = signalfd(-1, &births, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run.tty.slave >= 0)
		for (int fd = 0; fd <= 2; fd++)
			dup2(run.tty.slave, fd);
	if (run.exec_status >= 0)
		run.job = hp_restore_run();
	else
		run.job = hp_job_spawn(init->spec, &run.tty, &run.exec_status);
	if (run.job < 0)
		hp_die(-run.job, "starting the job");
	keep_streams();
	leave_stdio();
	if (run.tty.slave >= 0)
		close(run.tty.slave);
	serve(&run, init, children, hp_control_fd());
	end_all();
	if (!run.failed)
		report_exit(&run);
	_exit(0);
}
