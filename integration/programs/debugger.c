/* A small debugger within: ptrace of a child: stops, registers, memory, a breakpoint, single steps, signals, exec and exit events.
 * fronts: auto shim
 */
#include <sys/ptrace.h>
#include <sys/user.h>
#include "sig.h"

static volatile int number = 5;

__attribute__((noinline)) static int stepped(int value)
{
	__asm__ volatile("");
	return value * 3 + 1;
}

static void handler(int signal)
{
	(void)signal;
	number++;
}

/* What a program of the shim's has to see: SIGSYS is how its calls arrive, a debugger passes it on. */
static int wait_for(pid_t pid, int *status)
{
	for (;;) {
		MUST(waitpid(pid, status, __WALL));
		if (!WIFSTOPPED(*status) || WSTOPSIG(*status) != SIGSYS)
			return *status;
		MUST(ptrace(PTRACE_CONT, pid, NULL, SIGSYS));
	}
}

static int go_on(pid_t pid, int signal)
{
	int status;
	MUST(ptrace(PTRACE_CONT, pid, NULL, signal));
	return wait_for(pid, &status);
}

static void child(void)
{
	struct stat st;
	MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	on(SIGUSR1, handler, 0);
	raise(SIGSTOP);
	stat("small.txt", &st);
	number += stepped(number);
	raise(SIGUSR1);
	stat("dir/a", &st);
	raise(SIGUSR1); /* this one the debugger keeps */
	_exit(number);
}

static void at_breakpoints(void)
{
	struct user_regs_struct regs;
	pid_t pid = MUST(fork());
	int status;
	if (pid == 0)
		child();
	show_status("first", wait_for(pid, &status));
	long old = ptrace(PTRACE_PEEKTEXT, pid, stepped, NULL);
	MUST(ptrace(PTRACE_POKETEXT, pid, stepped, (old & ~0xffl) | 0xcc));
	show_status("breakpoint", go_on(pid, 0));
	MUST(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	YES(regs.rip == (unsigned long)stepped + 1);
	printf("argument %lld\n", regs.rdi);
	MUST(ptrace(PTRACE_POKETEXT, pid, stepped, old));
	regs.rip--;
	regs.rdi = 10;
	MUST(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	int steps = 0;
	do {
		MUST(ptrace(PTRACE_SINGLESTEP, pid, NULL, 0));
		MUST(waitpid(pid, &status, 0));
		MUST(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
		steps++;
	} while (WIFSTOPPED(status) && steps < 100 && regs.rip - (unsigned long)stepped < 64);
	YES(steps > 1 && steps < 20);
	printf("returns %lld\n", regs.rax);
	YES(ptrace(PTRACE_PEEKDATA, pid, &number, NULL) << 32 >> 32 == 5);
	show_status("first signal", go_on(pid, 0));
	show_status("second signal", go_on(pid, SIGUSR1));
	show_status("end", go_on(pid, 0));
}

static void at_events(void)
{
	int status, execs = 0, forks = 0, exits = 0;
	pid_t pid = MUST(fork());
	if (pid == 0) {
		MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		raise(SIGSTOP);
		execl("/bin/sh", "sh", "-c", "(exit 3); exec cat small.txt", NULL);
		_exit(99);
	}
	wait_for(pid, &status);
	MUST(ptrace(PTRACE_SETOPTIONS, pid, NULL,
		    PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			    PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL));
	MUST(ptrace(PTRACE_CONT, pid, NULL, 0));
	for (;;) {
		pid_t which = waitpid(-1, &status, __WALL);
		int event = status >> 16, signal;
		if (which < 0)
			break;
		if (!WIFSTOPPED(status)) {
			if (which == pid)
				show_status("shell", status);
			continue;
		}
		execs += event == PTRACE_EVENT_EXEC;
		exits += event == PTRACE_EVENT_EXIT;
		forks += event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE;
		signal = WSTOPSIG(status);
		ptrace(PTRACE_CONT, which, NULL, event || signal == SIGSTOP || signal == SIGTRAP ? 0 : signal);
	}
	printf("forks %d execs %d exits %d\n", forks, execs, exits);
}

static void seized(void)
{
	int status;
	pid_t pid = MUST(fork());
	if (pid == 0)
		for (;;)
			pause();
	until_state(pid, 'S');
	TRY(ptrace(PTRACE_SEIZE, pid, NULL, 0));
	TRY(ptrace(PTRACE_INTERRUPT, pid, NULL, 0));
	MUST(waitpid(pid, &status, 0));
	YES(WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP);
	TRY(ptrace(PTRACE_DETACH, pid, NULL, 0));
	kill(pid, SIGTERM);
	show_wait("seized", pid);
	TRY(ptrace(PTRACE_ATTACH, getppid() == 0 ? 1 : 999999, NULL, NULL));
}

int main(void)
{
	at_breakpoints();
	at_events();
	seized();
	return 0;
}
