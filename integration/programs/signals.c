/* Handlers, masks, queues, alternate stacks, waiting for signals, sending them to groups and threads. */
#include <pthread.h>
#include "say.h"

static volatile int on_other_stack, sum;
static char other_stack[65536];

static void where(int number)
{
	char here;
	(void)number;
	on_other_stack = &here >= other_stack && &here < other_stack + sizeof(other_stack);
}

static void add(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	sum += info->si_value.sival_int;
}

static void *wait_for_usr2(void *arg)
{
	int got;
	sigwait(arg, &got);
	printf("thread got %s\n", sigabbrev_np(got));
	return NULL;
}

int main(void)
{
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };
	TRY(sigaltstack(&stack, NULL));
	struct sigaction action = { .sa_handler = where, .sa_flags = SA_ONSTACK };
	TRY(sigaction(SIGUSR1, &action, NULL));
	TRY(raise(SIGUSR1));
	YES(on_other_stack);
	struct sigaction queued = { .sa_sigaction = add, .sa_flags = SA_SIGINFO }, read_back;
	TRY(sigaction(SIGRTMIN, &queued, NULL));
	TRY(sigaction(SIGRTMIN, NULL, &read_back));
	YES(read_back.sa_sigaction == add);
	TRY(sigaction(SIGSYS, NULL, &read_back));
	YES(read_back.sa_handler == SIG_DFL);
	sigset_t set, old, pending;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGUSR2);
	TRY(sigprocmask(SIG_BLOCK, &set, &old));
	for (int i = 1; i <= 10; i++)
		MUST(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
	printf("blocked %d\n", sum);
	sigpending(&pending);
	YES(sigismember(&pending, SIGRTMIN));
	sigset_t one = set;
	sigdelset(&one, SIGUSR2);
	TRY(sigprocmask(SIG_UNBLOCK, &one, NULL));
	printf("delivered %d\n", sum);
	pthread_t thread;
	sigset_t usr2;
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	pthread_create(&thread, NULL, wait_for_usr2, &usr2);
	pthread_kill(thread, SIGUSR2);
	pthread_join(thread, NULL);
	TRY(kill(getpid(), 0));
	TRY(kill(getpid(), SIGUSR2));
	siginfo_t info;
	VALUE(sigtimedwait(&usr2, &info, &(struct timespec){ 1, 0 }));
	YES(info.si_pid == getpid());
	VALUE(sigtimedwait(&usr2, &info, &(struct timespec){ 0, 1000000 }));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		pause();
	}
	TRY(kill(pid, SIGSTOP));
	int status;
	MUST(waitpid(pid, &status, WUNTRACED));
	YES(WIFSTOPPED(status));
	TRY(kill(pid, SIGCONT));
	MUST(waitpid(pid, &status, WCONTINUED));
	YES(WIFCONTINUED(status));
	TRY(kill(pid, SIGTERM));
	show_wait("child", pid);
	TRY(kill(pid, SIGTERM));
	TRY(signal(SIGKILL, SIG_IGN) == SIG_ERR ? -1 : 0);
	return 0;
}
