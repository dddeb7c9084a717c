/* Threads: many short ones, many at once, forks among them, signals at each, longjmp out of handlers. */
#include <setjmp.h>
#include <sys/stat.h>
#include "tell.h"

static volatile long opened;

static void *opener(void *unused)
{
	long mine = 0;

	(void)unused;
	for (int i = 0; i < 2000; i++) {
		struct stat status;
		int fd = open("/etc/passwd", O_RDONLY);
		char byte;

		mine += fd >= 0 && read(fd, &byte, 1) == 1 && fstat(fd, &status) == 0 && close(fd) == 0;
	}
	__atomic_add_fetch(&opened, mine, __ATOMIC_RELAXED);
	return NULL;
}

static void *short_one(void *number)
{
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return (void *)((long)number + (getpid() > 0));
}

static void *forker(void *unused)
{
	long right = 0;

	(void)unused;
	for (int i = 0; i < 25; i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			pthread_t thread;
			void *result = NULL;

			pthread_create(&thread, NULL, short_one, (void *)4);
			pthread_join(thread, &result);
			_exit((int)(long)result);
		}
		if (waitpid(pid, &status, 0) != pid)
			abort();
		right += WIFEXITED(status) && WEXITSTATUS(status) == 5;
	}
	return (void *)right;
}

static __thread sigjmp_buf back;
static __thread volatile int ready, jumped;
static volatile int stop;

static void jump(int signal)
{
	jumped++;
	if (ready)
		siglongjmp(back, signal);
}

static void *jumper(void *unused)
{
	volatile long calls = 0;

	(void)unused;
	sigsetjmp(back, 1);
	ready = 1;
	while (!stop) {
		sigset_t set;
		struct sigaction action;

		sigfillset(&set);
		sigdelset(&set, SIGUSR1);
		sigprocmask(SIG_SETMASK, &set, NULL);
		sigaction(SIGUSR2, NULL, &action);
		calls += getppid() > 0;
	}
	ready = 0;
	return (void *)(long)(calls > 0 && jumped > 0);
}

int main(void)
{
	pthread_t thread[300];
	long total = 0;
	void *result;

	for (int i = 0; i < 300; i++) {
		pthread_create(&thread[i], NULL, short_one, (void *)(long)i);
		pthread_join(thread[i], &result);
		total += (long)result;
	}
	for (int i = 0; i < 300; i++)
		pthread_create(&thread[i], NULL, short_one, (void *)(long)i);
	for (int i = 0; i < 300; i++) {
		pthread_join(thread[i], &result);
		total += (long)result;
	}
	printf("short threads: %ld\n", total);
	for (int i = 0; i < 16; i++)
		pthread_create(&thread[i], NULL, opener, NULL);
	for (int i = 0; i < 16; i++)
		pthread_join(thread[i], NULL);
	printf("opened: %ld\n", opened);
	total = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, forker, NULL);
	for (int i = 4; i < 8; i++)
		pthread_create(&thread[i], NULL, opener, NULL);
	for (int i = 0; i < 8; i++) {
		pthread_join(thread[i], &result);
		total += (long)result;
	}
	printf("right children: %ld\n", total);
	on(SIGUSR1, jump, 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, jumper, NULL);
	for (double end = seconds() + 0.6; seconds() < end;) {
		for (int i = 0; i < 4; i++)
			pthread_kill(thread[i], SIGUSR1);
		usleep(100);
	}
	stop = 1;
	total = 0;
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &result);
		total += (long)result;
	}
	printf("jumpers: %ld\n", total);
	return 0;
}
