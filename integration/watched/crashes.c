/* Dies in the way its argument names; some ways only a child does. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) static int deep(int n)
{
	volatile char room[4096];

	room[n % 4096] = (char)n;
	return n < 0 ? 0 : deep(n + 1) + room[0];
}

__attribute__((noinline)) static void null_write(void)
{
	*(volatile int *)8 = 1;
}

static void *in_thread(void *argument)
{
	null_write();
	return argument;
}

__attribute__((noinline)) static int beyond_the_file(void)
{
	int fd = open("one", O_RDWR | O_CREAT | O_TRUNC, 0644);
	volatile char *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	return mapped[0];
}

static void tell_child(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		null_write();
	waitpid(child, &status, 0);
	printf("exited %d signal %d\n", WIFEXITED(status), WTERMSIG(status));
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	volatile int zero = 0, one = 1;
	pthread_t thread;

	printf("before %s\n", how);
	fflush(stdout);
	(void)!access("nothing-of-this-name", F_OK);
	if (!strcmp(how, "null"))
		null_write();
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "overflow"))
		return deep(0);
	if (!strcmp(how, "divide"))
		return one / zero;
	if (!strcmp(how, "jump"))
		((void (*)(void))0x1234)();
	if (!strcmp(how, "illegal"))
		__asm__ volatile("ud2");
	if (!strcmp(how, "trap"))
		__asm__ volatile("int3");
	if (!strcmp(how, "bus"))
		return beyond_the_file();
	if (!strcmp(how, "raise"))
		raise(SIGSEGV);
	if (!strcmp(how, "thread") && !pthread_create(&thread, NULL, in_thread, NULL))
		pthread_join(thread, NULL);
	if (!strcmp(how, "child"))
		tell_child();
	if (!strcmp(how, "kill"))
		kill(getpid(), SIGKILL);
	return 3;
}
