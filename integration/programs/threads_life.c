/* Many short threads, cancellation inside a blocked read, exit from a thread, fork and exec from a thread. */
#include <pthread.h>
#include "say.h"

static void *tiny(void *arg)
{
	struct stat st;
	return stat(arg, &st) == 0 ? arg : NULL;
}

static void *blocked(void *arg)
{
	char byte;
	read(*(int *)arg, &byte, 1);
	return NULL;
}

static void *forker(void *arg)
{
	(void)arg;
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "read line < small.txt; echo child of a thread: $line", NULL);
		_exit(98);
	}
	show_wait("from a thread", pid);
	return NULL;
}

static void *leave(void *arg)
{
	(void)arg;
	printf("a thread ends the process\n");
	exit(7);
}

int main(void)
{
	pthread_t thread;
	void *result;
	int good = 0, p[2];
	for (int i = 0; i < 500; i++) {
		if (pthread_create(&thread, NULL, tiny, "small.txt") != 0)
			break;
		pthread_join(thread, &result);
		good += result != NULL;
	}
	printf("%d\n", good);
	pthread_t many[64];
	for (int i = 0; i < 64; i++)
		pthread_create(&many[i], NULL, tiny, "dir/sub");
	good = 0;
	for (int i = 0; i < 64; i++) {
		pthread_join(many[i], &result);
		good += result != NULL;
	}
	printf("%d\n", good);
	MUST(pipe(p));
	pthread_create(&thread, NULL, blocked, &p[0]);
	usleep(20000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	YES(result == PTHREAD_CANCELED);
	pthread_create(&thread, NULL, forker, NULL);
	pthread_join(thread, NULL);
	YES(gettid() == getpid());
	pthread_create(&thread, NULL, leave, NULL);
	pause();
	return 0;
}
