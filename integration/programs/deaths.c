/* How a parent sees its children die: each deadly signal, by fault, by kill and by limit; core flag, CPU time, file size, pipes. */
#include <sys/resource.h>
#include "sig.h"

static void no_core(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void wait_for(const char *what, pid_t pid)
{
	siginfo_t info = { 0 };
	int status;
	MUST(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	MUST(waitpid(pid, &status, 0));
	printf("%s: ", what);
	if (WIFSIGNALED(status))
		printf("killed by %s, core %d, code %d\n", sigabbrev_np(WTERMSIG(status)), !!WCOREDUMP(status),
		       info.si_code);
	else
		printf("exit %d, code %d\n", WEXITSTATUS(status), info.si_code);
}

static int zero;

static void by_null(void)
{
	*(volatile int *)8 = 1;
}

static void by_readonly(void)
{
	*(volatile char *)"constant" = 1;
}

static void by_jump(void)
{
	((void (*)(void))16)();
}

static void by_end_of_file(void)
{
	int fd = MUST(open("small.txt", O_RDONLY));
	volatile char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	(void)map[5000];
}

static void by_division(void)
{
	volatile int one = 1;
	one /= zero;
}

static void by_illegal(void)
{
	__asm__ volatile("ud2");
}

static void by_trap(void)
{
	__asm__ volatile("int3");
}

static void by_privilege(void)
{
	__asm__ volatile("hlt");
}

static void by_abort(void)
{
	abort();
}

__attribute__((noinline)) static int overflow(volatile int *from)
{
	volatile int room[1000];
	room[0] = *from;
	if (*from == 12345)
		return 1;
	return overflow(room) + room[0];
}

static void by_overflow(void)
{
	setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, 1 << 20 });
	overflow(&zero);
}

static void by_pipe(void)
{
	int p[2];
	MUST(pipe(p));
	close(p[0]);
	write(p[1], "x", 1);
}

static void by_size(void)
{
	MUST(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1000, 1000 }));
	int fd = MUST(open("limited", O_WRONLY | O_CREAT | O_TRUNC, 0644));
	char block[600] = { 1 };
	for (;;)
		write(fd, block, sizeof(block));
}

static void xcpu(int number)
{
	write(1, "SIGXCPU handled\n", 16);
	raise(number);
}

static void by_time(void)
{
	on(SIGXCPU, xcpu, SA_RESETHAND);
	MUST(setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 9 }));
	for (;;)
		getppid();
}

static void by_hard_time(void)
{
	signal(SIGXCPU, SIG_IGN);
	MUST(setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 1 }));
	for (;;)
		getppid();
}

static void blocked_fault(void)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	by_null();
}

static void ignored_fault(void)
{
	signal(SIGSEGV, SIG_IGN);
	by_null();
}

static void by_syscall(void)
{
	raise(SIGSYS);
}

static void returning(int number)
{
	(void)number;
	signal(SIGSEGV, SIG_DFL);
}

static void after_handler(void)
{
	on(SIGSEGV, returning, 0);
	by_null();
}

static void by_alarm(void)
{
	alarms(1000);
	for (;;)
		pause();
}

static const struct {
	const char *name;
	void (*how)(void);
} ways[] = {
	{ "null", by_null },
	{ "constant", by_readonly },
	{ "jump", by_jump },
	{ "behind the end", by_end_of_file },
	{ "division", by_division },
	{ "ud2", by_illegal },
	{ "int3", by_trap },
	{ "hlt", by_privilege },
	{ "abort", by_abort },
	{ "stack", by_overflow },
	{ "pipe", by_pipe },
	{ "file size", by_size },
	{ "SIGSYS", by_syscall },
	{ "fault, blocked", blocked_fault },
	{ "fault, ignored", ignored_fault },
	{ "fault, handled once", after_handler },
	{ "alarm", by_alarm },
};

int main(void)
{
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		pid_t pid = MUST(fork());
		if (pid == 0) {
			no_core();
			ways[i].how();
			_exit(77);
		}
		wait_for(ways[i].name, pid);
	}
	pid_t pids[2];
	for (int i = 0; i < 2; i++) { /* both at once: they take a second of a processor each */
		pids[i] = MUST(fork());
		if (pids[i] == 0) {
			no_core();
			i ? by_hard_time() : by_time();
		}
	}
	wait_for("time", pids[0]);
	wait_for("hard time", pids[1]);
	struct stat st;
	MUST(stat("limited", &st));
	printf("limited to %ld\n", (long)st.st_size);
	for (int number = 1; number < 32; number++) {
		pid_t pid = MUST(fork());
		if (pid == 0) {
			no_core();
			signal(number, SIG_DFL);
			kill(getpid(), number);
			_exit(66);
		}
		if (number != SIGSTOP && number != SIGTSTP && number != SIGTTIN && number != SIGTTOU)
			wait_for(sigabbrev_np(number), pid);
		else {
			int status;
			waitpid(pid, &status, WUNTRACED);
			/* orphaned groups are not stopped by the terminal's signals: as the kernel has it */
			if (WIFSTOPPED(status))
				kill(pid, SIGKILL), waitpid(pid, NULL, 0);
		}
	}
	return 0;
}
