/* waitid and its relatives for stops, continuations and ends: WNOWAIT, WSTOPPED, WCONTINUED, groups, threads' children, usage, errors. */
#include <sys/resource.h>
#include "sig.h"

static void show_info(const char *what, idtype_t type, id_t id, int options, pid_t expected)
{
	siginfo_t info;
	memset(&info, 0, sizeof(info));
	int failed = waitid(type, id, &info, options);
	if (failed < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else if (info.si_pid == 0)
		printf("%s: nothing yet\n", what);
	else
		printf("%s: signal %d code %d status %d %s uid %s\n", what, info.si_signo, info.si_code, info.si_status,
		       info.si_pid == expected ? "the child" : "another",
		       info.si_uid == getuid() ? "mine" : "not mine");
}

/* In a group that is not orphaned, or SIGTSTP is lost. 0: one of its own. */
static pid_t stoppable(pid_t group)
{
	pid_t pid = MUST(fork());
	if (pid == 0) {
		setpgid(0, group);
		fill_memory();
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	setpgid(pid, group);
	return pid;
}

static void one_child(void)
{
	int status;
	pid_t pid = stoppable(0);
	show_info("left there", P_PID, pid, WSTOPPED | WNOWAIT, pid);
	show_info("again", P_PID, pid, WSTOPPED | WNOWAIT | WNOHANG, pid);
	show_info("taken", P_ALL, 0, WSTOPPED, pid);
	show_info("taken already", P_PID, pid, WSTOPPED | WNOHANG, pid);
	show_info("not ended", P_PID, pid, WEXITED | WNOHANG, pid);
	MUST(kill(pid, SIGCONT));
	show_info("goes on", P_PID, pid, WCONTINUED | WNOWAIT, pid);
	MUST(waitpid(pid, &status, WCONTINUED));
	show_status("waitpid", status);
	MUST(kill(pid, SIGTSTP)); /* only now: a stop takes the notice of going on back */
	show_info("the second stop", P_PID, pid, WSTOPPED | WEXITED | WCONTINUED, pid);
	VALUE(waitpid(pid, &status, WNOHANG | WUNTRACED));
	MUST(kill(pid, SIGKILL));
	show_info("dead, left there", P_PID, pid, WEXITED | WNOWAIT, pid);
	YES(state_of(pid) == 'Z');
	struct rusage used;
	memset(&used, 0xff, sizeof(used));
	siginfo_t info = { 0 };
	TRY(syscall(SYS_waitid, P_PID, pid, &info, WEXITED, &used));
	YES(used.ru_utime.tv_sec == 0 && used.ru_maxrss > FILLED_KB);
	show_info("gone", P_PID, pid, WEXITED, pid);
}

static void groups(void)
{
	int status;
	pid_t first = stoppable(0), second = stoppable(first), other = stoppable(0);
	int seen = 0;
	for (int i = 0; i < 2; i++) {
		pid_t pid = MUST(waitpid(-first, &status, WUNTRACED));
		seen |= pid == first ? 1 : pid == second ? 2 : 4;
	}
	VALUE(seen);
	show_info("the other", P_PID, other, WSTOPPED, other);
	VALUE(waitpid(-first, &status, WUNTRACED | WNOHANG));
	MUST(kill(-first, SIGKILL));
	MUST(waitpid(-first, &status, 0));
	MUST(waitpid(-first, &status, 0));
	VALUE(waitpid(-first, &status, 0));
	show_info("group", P_PGID, first, WEXITED, first);
	MUST(kill(other, SIGKILL));
	MUST(wait4(other, &status, 0, NULL));
	show_status("other", status);
}

/* Children are the process's, whichever thread made them, but for __WNOTHREAD. */
static pid_t by_thread;
static volatile int may_end;
static void *makes(void *none)
{
	int status;
	by_thread = fork();
	if (by_thread == 0)
		_exit(21);
	while (!may_end)
		nap(500);
	(void)status;
	return none;
}

static void of_threads(void)
{
	pthread_t thread;
	int status;
	pthread_create(&thread, NULL, makes, NULL);
	while (by_thread == 0)
		nap(500);
	VALUE(waitpid(by_thread, &status, 0x20000000)); /* __WNOTHREAD */
	MUST(waitpid(by_thread, &status, 0));
	show_status("another thread's child", status);
	may_end = 1;
	pthread_join(thread, NULL);
}

static volatile int told, told_code;
static void child_says(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	told++;
	told_code = info->si_code;
}

static void notices(int flags)
{
	int status;
	told = 0;
	on_info(SIGCHLD, child_says, SA_RESTART | flags);
	pid_t pid = stoppable(0);
	MUST(waitpid(pid, &status, WUNTRACED));
	int after_stop = told;
	MUST(kill(pid, SIGCONT));
	MUST(waitpid(pid, &status, WCONTINUED));
	MUST(kill(pid, SIGTSTP));
	MUST(waitpid(pid, &status, WUNTRACED));
	show_status("notices", status);
	int after_second = told > after_stop;
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, &status, 0));
	printf("stops are told: %s, again: %s, end: code %d\n", after_stop ? "yes" : "no", after_second ? "yes" : "no",
	       told_code);
}

int main(void)
{
	siginfo_t info;
	int status;
	one_child();
	groups();
	of_threads();
	notices(0);
	notices(SA_NOCLDSTOP);
	TRY(waitid(P_PID, getpid(), &info, WEXITED));
	TRY(waitid(P_ALL, 0, &info, WEXITED));
	TRY(waitid(P_ALL, 0, &info, 0));
	TRY(waitid(P_ALL, 0, &info, WNOHANG));
	TRY(waitid(77, 0, &info, WEXITED));
	TRY(waitid(P_PID, 0, &info, WEXITED));
	TRY(waitid(P_PGID, (id_t)-1, &info, WEXITED));
	TRY(wait4(-1, &status, 0x400, NULL));
	TRY(wait4(INT_MIN, &status, 0, NULL));
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(3);
	while (state_of(pid) != 'Z')
		nap(500);
	TRY(wait4(pid, NOWHERE, 0, NULL));
	TRY(wait4(pid, &status, 0, NULL));
	return 0;
}
