/* Real-time signals: queued, in order, with values, lowest number first; the queue's limit; to threads; from other processes. */
#include <sys/resource.h>
#include "sig.h"

static volatile int log_at, last, wrong, total;
static struct {
	int number, value;
} seen[4096];

static void record(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (log_at < 4096) {
		seen[log_at].number = number - SIGRTMIN;
		seen[log_at++].value = info->si_value.sival_int;
	}
}

static void in_order(int number, siginfo_t *info, void *context)
{
	struct stat st;
	(void)number, (void)context;
	wrong += info->si_value.sival_int != last + 1;
	last = info->si_value.sival_int;
	total++;
	stat("dir/a", &st);
}

static void queue(int number, int value)
{
	MUST(sigqueue(getpid(), SIGRTMIN + number, (union sigval){ .sival_int = value }));
}

static void *target(void *arg)
{
	sigset_t set = set_of(SIGRTMIN + 5);
	siginfo_t info;
	(void)arg;
	for (int i = 0; i < 3; i++) {
		int got = sigwaitinfo(&set, &info);
		printf("thread got %d value %d code %d\n", got - SIGRTMIN, info.si_value.sival_int, info.si_code);
	}
	return NULL;
}

int main(void)
{
	sigset_t all, old;
	siginfo_t info;
	sigfillset(&all);
	for (int i = 0; i < 5; i++)
		on_info(SIGRTMIN + i, record, 0);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int i = 0; i < 20; i++)
		queue(4 - i % 5, i);
	/* taken one at a time: the lowest first, each number's in order */
	for (int i = 0; i < 4; i++) {
		int got = sigtimedwait(&all, &info, &(struct timespec){ 0, 0 });
		printf("waited for %d/%d\n", got - SIGRTMIN, info.si_value.sival_int);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* a handler interrupted by the next shows its own later */
	printf("delivered %d:", log_at);
	for (int i = 0; i < log_at; i++)
		printf(" %d/%d", seen[i].number, seen[i].value);
	puts("");
	on_info(SIGRTMIN + 7, in_order, 0);
	pid_t pid = MUST(fork()), parent = getppid();
	(void)parent;
	if (pid == 0) {
		for (int i = 1; i <= 2000; i++)
			while (sigqueue(getppid(), SIGRTMIN + 7, (union sigval){ .sival_int = i }) < 0)
				if (errno != EAGAIN)
					_exit(1);
		_exit(0);
	}
	for (struct stat st; total < 2000;)
		stat("dir/sub", &st), access("absent", F_OK), close(open("small.txt", O_RDONLY));
	printf("from another process: %d, out of order %d\n", total, wrong);
	show_wait("sender", pid);
	mask(SIG_BLOCK, SIGRTMIN + 5);
	pthread_t thread;
	pthread_create(&thread, NULL, target, NULL);
	MUST(-pthread_sigqueue(thread, SIGRTMIN + 5, (union sigval){ .sival_int = 77 }));
	MUST(-pthread_kill(thread, SIGRTMIN + 5));
	queue(5, 78);
	pthread_join(thread, NULL);
	mask(SIG_BLOCK, SIGRTMIN + 6);
	struct rlimit few = { 8, 8 };
	/* the limit counts all of a user's: none other runs here, but how many fit is the machine's affair */
	TRY(setrlimit(RLIMIT_SIGPENDING, &few));
	int fit = 0;
	while (fit < 1000 && sigqueue(getpid(), SIGRTMIN + 6, (union sigval){ .sival_int = fit }) == 0)
		fit++;
	printf("%s, fit no more than the limit: %s\n", strerrorname_np(errno), fit <= 8 ? "yes" : "no");
	TRY(kill(getpid(), SIGRTMIN + 6) < 0 && errno == EAGAIN ? 0 : 0);
	sigset_t six = set_of(SIGRTMIN + 6);
	int value = 0;
	while (sigtimedwait(&six, &info, &(struct timespec){ 0, 0 }) > 0 && value < fit)
		value += info.si_value.sival_int == value;
	YES(value == fit);
	TRY(sigqueue(getpid(), 65, (union sigval){ 0 }));
	TRY(sigqueue(1 << 22, SIGRTMIN, (union sigval){ 0 }));
	siginfo_t forged = { .si_signo = SIGUSR1, .si_code = SI_USER };
	TRY(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &forged));
	return 0;
}
