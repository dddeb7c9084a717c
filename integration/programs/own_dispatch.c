/* A program that dispatches its own system calls by Syscall User Dispatch, with a selector. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "say.h"

#define SET_DISPATCH 59

static volatile char selector;
static volatile int met, code;

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	(void)signal;
	selector = 0;
	met = info->si_syscall;
	code = info->si_code;
	at->uc_mcontext.gregs[REG_RAX] = 4711;
}

int main(void)
{
	struct stat st;
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	sigaction(SIGSYS, &action, NULL);
	printf("on: %d\n", prctl(SET_DISPATCH, 1, 0, 0, &selector));
	printf("selector allows: %d\n", stat("small.txt", &st));
	selector = 1;
	long result = syscall(SYS_mkdir, "never", 0755);
	printf("met %d, code %d, gives %ld, made %d\n", met == SYS_mkdir, code, result, access("never", F_OK));
	pid_t pid = fork(); /* a child has no dispatch */
	if (pid == 0) {
		selector = 1;
		_exit(mkdir("made", 0755) == 0 ? 3 : 4);
	}
	show_wait("child", pid);
	printf("off: %d\n", prctl(SET_DISPATCH, 0, 0, 0, 0));
	selector = 1;
	printf("%d\n", access("made", F_OK));
	return 0;
}
