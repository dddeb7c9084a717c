/* Faults of the program's are its own; bad pointers in calls are EFAULT. */
#include <setjmp.h>
#include "tell.h"

static sigjmp_buf back;
static volatile int faults;
static void *volatile address;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	faults++;
	address = info->si_addr;
	printf("signal %d code %d\n", signal, info->si_code);
	siglongjmp(back, 1);
}

static void child(const char *what, int how)
{
	pid_t pid = fork();

	if (pid == 0) {
		switch (how) {
		case 0:
			*(volatile int *)16 = 1;
			break;
		case 1:
			raise(SIGSEGV);
			break;
		case 2:
			signal(SIGSEGV, SIG_IGN);
			raise(SIGSEGV);
			kill(getpid(), SIGBUS);
			break;
		case 3:
			signal(SIGSEGV, SIG_IGN);
			*(volatile int *)16 = 1;
			break;
		case 4:
			__builtin_trap();
		case 5: {
			sigset_t all;

			sigfillset(&all);
			sigprocmask(SIG_BLOCK, &all, NULL);
			*(volatile int *)16 = 1;
			break;
		}
		case 6:
			signal(SIGABRT, SIG_DFL);
			abort();
		case 7:
			raise(SIGKILL);
		}
		_exit(5);
	}
	tell_end(what, pid);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	char *const argv[] = { "x", NULL };

	child("null", 0);
	child("raised", 1);
	child("ignored, raised", 2);
	child("ignored, null", 3);
	child("illegal", 4);
	child("blocked, null", 5);
	child("abort", 6);
	child("kill", 7);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (int i = 0; i < 3; i++)
		if (!sigsetjmp(back, 1))
			*(volatile int *)(16 + (long)i) = 1;
	CHECK(address == (void *)18);
	if (!sigsetjmp(back, 1))
		raise(SIGSEGV);
	printf("faults %d\n", faults);
	TELL(execve((char *)8, argv, NULL));
	TELL(execve("/bin/true", (char **)8, NULL));
	{
		char *bad[] = { "true", (char *)8, NULL };

		TELL(execve("/bin/true", bad, NULL));
		TELL(execve("/bin/true", argv, (char **)8));
		TELL(execve("/bin/true", argv, bad));
	}
	TELL(open((char *)8, O_RDONLY));
	TELL(readlink((char *)8, NULL, 0));
	TELL(syscall(SYS_clone3, 8, 88));
	TELL(syscall(SYS_clone3, 8, 8));
	TELL(syscall(SYS_rt_sigaction, SIGUSR1, 8, 0, 8));
	return 0;
}
