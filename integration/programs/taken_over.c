/* Many threads at work, asleep, in handlers and in children, while one of them takes %gs.
 * timeout: 100
 */
#include <asm/prctl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/time.h>
#include "say.h"

static volatile int stop, handled;
static int sleepers[2];
static unsigned long area;
extern char **environ;

static void on_alarm(int signal)
{
	struct stat st;
	(void)signal;
	handled += stat("small.txt", &st) == 0;
}

static void *at_work(void *number)
{
	unsigned long wrong = 0;
	char name[32];
	snprintf(name, sizeof name, "work-%ld", (long)number);
	for (int i = 0; !stop || i < 20; i++) {
		char byte = 'x', got = 0;
		int fd = open(name, O_RDWR | O_CREAT, 0600);
		wrong += write(fd, &byte, 1) != 1 || pread(fd, &got, 1, 0) != 1 || got != byte;
		close(fd);
	}
	return (void *)wrong;
}

static void *asleep(void *number)
{
	char byte;
	struct pollfd place = { sleepers[0], POLLIN, 0 };
	if ((long)number % 2)
		poll(&place, 1, -1);
	return (void *)(long)(read(sleepers[0], &byte, 1) != 1);
}

static void *a_parent(void *none)
{
	unsigned long wrong = 0;
	(void)none;
	for (int i = 0; !stop || i < 3; i++) {
		char *words[] = { "sh", "-c", "read line < small.txt; test $line = alpha", NULL };
		pid_t pid;
		int status = 1;
		wrong += posix_spawn(&pid, "/bin/sh", NULL, NULL, words, environ) != 0;
		wrong += waitpid(pid, &status, 0) != pid || status != 0;
	}
	return (void *)wrong;
}

/* In code that is made at run time every call is a signal first: one is always on its way. */
static void *in_made_code(void *number)
{
	static const unsigned char text[] = { 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x0f, 0x05, 0xc3 };
	long (*call)(long, const char *, int);
	unsigned long wrong = 0;
	unsigned char *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)number;
	memcpy(made, text, sizeof text); /* mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; syscall; ret */
	memcpy(&call, &made, sizeof call);
	for (int i = 0; !stop || i < 20; i++)
		wrong += call(SYS_access, "small.txt", R_OK) != 0 || call(SYS_access, "no such", F_OK) != -ENOENT;
	return (void *)wrong;
}

/* usleep would end with the next alarm. */
static void wait_ms(int ms)
{
	struct timespec now, until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms * 1000000l;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	do
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	while (clock_gettime(CLOCK_MONOTONIC, &now) == 0 &&
	       (now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec)));
}

int main(void)
{
	pthread_t threads[15];
	unsigned long wrong = 0, word;
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
	MUST(pipe(sleepers));
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (long i = 0; i < 15; i++)
		pthread_create(&threads[i], NULL,
			       i < 5  ? at_work :
			       i < 8  ? in_made_code :
			       i < 13 ? asleep :
					a_parent,
			       (void *)i);
	wait_ms(100);
	area = 4711;
	MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, &area));
	for (int i = 0; i < 100; i++) {
		struct stat st;
		wrong += stat("small.txt", &st) != 0;
		__asm__ volatile("mov %%gs:0, %0" : "=r"(word));
		wrong += word != 4711;
	}
	wait_ms(100);
	stop = 1;
	setitimer(ITIMER_REAL, &never, NULL);
	MUST(write(sleepers[1], "xxxxx", 5));
	for (int i = 0; i < 15; i++) {
		void *result;
		pthread_join(threads[i], &result);
		if (result)
			printf("thread %d: %ld wrong\n", i, (long)result);
	}
	printf("wrong: %lu, handled: %s\n", wrong, handled > 10 ? "many" : "few");
	return 0;
}
