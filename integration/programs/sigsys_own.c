/* SIGSYS belongs to the program: handled, ignored, blocked, pending, waited for, in masks of handlers and of frames. */
#include <setjmp.h>
#include <ucontext.h>
#include "sig.h"

static volatile int got, value;
static sigjmp_buf back;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	got++;
	value = info->si_value.sival_int;
	ucontext_t *frame = context;
	printf("handler: code %d, blocked within %s, before %s\n", info->si_code, masked(SIGSYS) ? "yes" : "no",
	       sigismember(&frame->uc_sigmask, SIGSYS) ? "yes" : "no");
}

static void says(int number)
{
	printf("%s handler: SIGSYS blocked %s, USR1 %s\n", sigabbrev_np(number), masked(SIGSYS) ? "yes" : "no",
	       masked(SIGUSR1) ? "yes" : "no");
}

static void blocks_in_frame(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	sigfillset(&((ucontext_t *)context)->uc_sigmask);
}

static void frees_in_frame(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	sigemptyset(&((ucontext_t *)context)->uc_sigmask);
}

static void jumps(int number)
{
	(void)number;
	siglongjmp(back, 1);
}

static void calls_work(void)
{
	struct stat st;
	/* sites that nobody called before: none of them is rewritten yet */
	printf("calls: %d %d %d %d\n", stat("small.txt", &st), access("empty", F_OK), getpgid(0) > 0, sched_yield());
}

static void *peek(void *arg)
{
	(void)arg;
	printf("thread: SIGSYS blocked %s\n", masked(SIGSYS) ? "yes" : "no");
	return NULL;
}

static void pending(const char *when)
{
	sigset_t set;
	MUST(sigpending(&set));
	printf("%s: pending %s\n", when, sigismember(&set, SIGSYS) ? "yes" : "no");
}

int main(void)
{
	sigset_t all, sys = set_of(SIGSYS);
	siginfo_t info;
	pthread_t thread;
	sigfillset(&all);
	on_info(SIGSYS, handler, 0);
	TRY(raise(SIGSYS));
	TRY(sigqueue(getpid(), SIGSYS, (union sigval){ .sival_int = 42 }));
	printf("%d %d\n", got, value);
	mask(SIG_BLOCK, SIGSYS);
	YES(masked(SIGSYS));
	pthread_create(&thread, NULL, peek, NULL);
	pthread_join(thread, NULL);
	TRY(raise(SIGSYS));
	pending("blocked");
	printf("%d\n", got);
	calls_work();
	mask(SIG_UNBLOCK, SIGSYS);
	pending("free");
	printf("%d\n", got);
	mask(SIG_BLOCK, SIGSYS);
	TRY(sigqueue(getpid(), SIGSYS, (union sigval){ .sival_int = 43 }));
	memset(&info, 0, sizeof(info));
	VALUE(sigtimedwait(&sys, &info, &(struct timespec){ 1, 0 }));
	printf("%d\n", info.si_value.sival_int);
	pending("waited for");
	VALUE(sigtimedwait(&sys, &info, &(struct timespec){ 0, 1000 }));
	mask(SIG_UNBLOCK, SIGSYS);
	printf("%d\n", got);
	struct sigaction action = { .sa_handler = says, .sa_mask = all };
	TRY(sigaction(SIGUSR2, &action, NULL));
	TRY(raise(SIGUSR2));
	YES(masked(SIGSYS));
	on(SIGUSR2, says, 0);
	TRY(raise(SIGUSR2));
	on_info(SIGUSR1, blocks_in_frame, 0);
	TRY(raise(SIGUSR1));
	YES(masked(SIGSYS));
	YES(masked(SIGUSR1));
	calls_work();
	TRY(raise(SIGSYS));
	pending("blocked by a frame");
	/* SIGUSR1 is blocked now */
	sigset_t usr1 = set_of(SIGUSR1);
	on_info(SIGUSR1, frees_in_frame, 0);
	TRY(raise(SIGUSR1));
	TRY(sigprocmask(SIG_UNBLOCK, &usr1, NULL));
	YES(masked(SIGSYS));
	pending("freed by a frame");
	printf("%d\n", got);
	action.sa_handler = jumps;
	TRY(sigaction(SIGUSR2, &action, NULL));
	if (sigsetjmp(back, 1) == 0)
		raise(SIGUSR2);
	YES(masked(SIGSYS));
	if (sigsetjmp(back, 0) == 0)
		raise(SIGUSR2);
	YES(masked(SIGSYS));
	calls_work();
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	signal(SIGSYS, SIG_IGN);
	TRY(raise(SIGSYS));
	calls_work();
	for (int how = 0; how < 4; how++) {
		pid_t pid = MUST(fork());
		if (pid == 0) {
			signal(SIGSYS, how & 1 ? SIG_DFL : SIG_IGN);
			if (how & 2)
				execl("/bin/sh", "sh", "-c", "kill -SYS $$; exit 5", NULL);
			raise(SIGSYS);
			_exit(4);
		}
		show_wait(how & 1 ? "default" : "ignored", pid);
	}
	return 0;
}
