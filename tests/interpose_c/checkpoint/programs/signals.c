/* Pending signals with what they carry, of process and thread; masks, actions, alternate stacks; a handler under way. */
#include "again.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

static volatile sig_atomic_t caught, values[8], on_altstack, in_handler;
static char stack[65536];
static pid_t helper_tid;
static volatile int helper_go;

static void handler(int number, siginfo_t *info, void *context)
{
	char here;
	(void)number;
	(void)context;
	values[caught++ % 8] = info->si_value.sival_int;
	on_altstack = &here >= stack && &here < stack + sizeof stack;
}

static void slow(int number)
{
	(void)number;
	in_handler = 1;
	linger();
	in_handler = 2;
}

static void *help(void *unused)
{
	sigset_t some;
	siginfo_t info;
	const struct timespec none = { 0, 0 };
	(void)unused;
	sigfillset(&some);
	pthread_sigmask(SIG_BLOCK, &some, NULL);
	helper_tid = (pid_t)syscall(SYS_gettid);
	CHECK(pthread_kill(pthread_self(), SIGUSR2) == 0);
	while (!helper_go)
		usleep(1000);
	CHECK(syscall(SYS_gettid) == helper_tid);
	sigemptyset(&some);
	sigaddset(&some, SIGUSR2);
	CHECK(sigtimedwait(&some, &info, &none) == SIGUSR2 && info.si_code == SI_USER /* so says libc */ &&
	      info.si_pid == getpid());
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART }, back;
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack }, told;
	sigset_t set;
	pthread_t thread;
	CHECK(sigaltstack(&alternate, NULL) == 0 && sigaction(SIGRTMIN + 2, &action, NULL) == 0);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, slow);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int n = 0; n < 4; n++)
		CHECK(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 100 + n }) == 0);
	CHECK(pthread_create(&thread, NULL, help, NULL) == 0);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	raise(SIGTERM); /* lingers in the handler */
	CHECK(in_handler == 2 && caught == 0);
	CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) && sigismember(&set, SIGRTMIN + 2) &&
	      !sigismember(&set, SIGUSR2));
	CHECK(sigaction(SIGHUP, NULL, &back) == 0 && back.sa_handler == SIG_IGN);
	CHECK(sigaction(SIGRTMIN + 2, NULL, &back) == 0 && back.sa_sigaction == handler && back.sa_flags & SA_RESTART);
	CHECK(sigaltstack(NULL, &told) == 0 && told.ss_sp == stack && told.ss_size == sizeof stack &&
	      told.ss_flags == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	CHECK(caught == 4 && values[0] == 100 && values[3] == 103 && on_altstack);
	helper_go = 1;
	CHECK(pthread_join(thread, NULL) == 0);
	return done();
}
