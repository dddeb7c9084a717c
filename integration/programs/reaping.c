/* Ends of children: orphans, subreapers, WNOWAIT, SA_NOCLDWAIT, SIGCHLD and its siginfo, wait for groups, clones and kinds. */
#include <sys/resource.h>
#include "sig.h"

static volatile int chld, chld_code, chld_status;

static void child_ended(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	chld++;
	chld_code = info->si_code;
	chld_status = info->si_status;
}

static pid_t ends_with(int code)
{
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(code);
	return pid;
}

static pid_t waits(void)
{
	pid_t pid = MUST(fork());
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* Each ends at once: the rest are orphans. */
static void chain(int length)
{
	for (int left = length; left > 0; left--)
		if (fork() != 0)
			_exit(left);
	_exit(0);
}

int main(void)
{
	siginfo_t info = { 0 };
	struct rusage usage;
	int status;
	pid_t pid = ends_with(3);
	TRY(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	printf("code %d status %d pid right %d\n", info.si_code, info.si_status, info.si_pid == pid);
	YES(state_of(pid) == 'Z');
	TRY(kill(pid, SIGTERM));
	YES(wait4(pid, &status, 0, &usage) == pid);
	show_status("waited", status);
	TRY(waitpid(pid, &status, 0));
	TRY(kill(pid, 0));
	TRY(waitid(P_PID, getppid(), &info, WEXITED));
	TRY(waitid(P_ALL, 0, &info, 0));
	pid = waits();
	YES(waitpid(pid, &status, WNOHANG) == 0);
	memset(&info, 1, sizeof(info));
	TRY(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
	printf("nothing yet: %d\n", info.si_pid);
	on_info(SIGCHLD, child_ended, SA_RESTART);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	while (!chld)
		nap(1000);
	printf("SIGCHLD code %d status %d\n", chld_code, chld_status);
	chld = 0;
	on_info(SIGCHLD, child_ended, SA_NOCLDSTOP);
	kill(pid, SIGCONT);
	waitpid(pid, &status, WCONTINUED);
	show_status("continued", status);
	printf("with SA_NOCLDSTOP: %d\n", chld);
	kill(pid, SIGTERM);
	MUST(waitpid(pid, &status, 0) == pid || errno == EINTR ? 0 : -1);
	while (!chld)
		nap(1000);
	printf("SIGCHLD code %d status %d\n", chld_code, chld_status);
	waitpid(pid, &status, 0);
	struct sigaction nowait = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	sigaction(SIGCHLD, &nowait, NULL);
	for (int i = 0; i < 5; i++)
		ends_with(i);
	VALUE(wait(NULL)); /* until none is left */
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		ends_with(i);
	VALUE(wait(NULL));
	signal(SIGCHLD, SIG_DFL);
	/* groups */
	pid_t first = waits(), second = waits(), third = waits();
	setpgid(first, first);
	setpgid(second, first);
	TRY(killpg(first, SIGUSR1));
	int ended = 0;
	while (waitpid(-first, &status, 0) > 0)
		ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1;
	printf("of the group: %d\n", ended);
	YES(waitpid(third, &status, WNOHANG) == 0);
	TRY(waitid(P_PGID, first, &info, WEXITED));
	kill(third, SIGKILL);
	show_wait("third", third);
	TRY(killpg(first, SIGUSR1));
	/* orphans come to the nearest subreaper */
	TRY(prctl(PR_SET_CHILD_SUBREAPER, 1));
	int is = 0;
	TRY(prctl(PR_GET_CHILD_SUBREAPER, &is));
	printf("%d\n", is);
	pid = MUST(fork());
	if (pid == 0)
		chain(30);
	int count = 0, sum = 0;
	while (wait(&status) > 0) {
		count++;
		sum += WEXITSTATUS(status);
	}
	printf("reaped %d, codes sum to %d\n", count, sum);
	TRY(prctl(PR_SET_CHILD_SUBREAPER, 0));
	/* an orphan of nobody: the first process of the job, or of home, takes it */
	int p[2];
	char byte;
	MUST(pipe(p));
	pid = MUST(fork());
	if (pid == 0) {
		pid_t parent = getpid();
		if (fork() == 0) {
			while (getppid() == parent)
				nap(1000);
			write(p[1], "o", 1);
			_exit(0);
		}
		_exit(0);
	}
	show_wait("parent", pid);
	close(p[1]);
	VALUE(read(p[0], &byte, 1));
	VALUE(read(p[0], &byte, 1)); /* it has ended too */
	VALUE(wait(NULL));
	pid = MUST(fork());
	if (pid == 0) {
		fill_memory();
		_exit(0);
	}
	YES(wait4(pid, &status, 0, &usage) == pid && usage.ru_maxrss > FILLED_KB);
	getrusage(RUSAGE_CHILDREN, &usage);
	YES(usage.ru_maxrss > FILLED_KB);
	/* many at once */
	for (int i = 0; i < 200; i++)
		ends_with(i);
	sum = count = 0;
	while (wait(&status) > 0)
		count++, sum += WEXITSTATUS(status);
	printf("%d %d\n", count, sum);
	return 0;
}
