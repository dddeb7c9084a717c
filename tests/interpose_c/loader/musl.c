/* Compiled by musl-gcc as well: threads, a child, no glibc. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static void *run(void *x)
{
	return x;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *result;

	for (int i = 0; i < 50; i++) {
		pthread_create(&thread, 0, run, argv);
		pthread_join(thread, &result);
	}
	printf("%d %s %d %d\n", argc, argv[1], result == argv, WEXITSTATUS(system("exit 5")));
	return 0;
}
