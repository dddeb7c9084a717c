/* Built with each sanitizer: work on several threads, then the mistake the sanitizer is there to find. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static int counter;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *work(void *told)
{
	for (int n = 0; n < 2000; n++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		free(malloc(n + 1));
	}
	FILE *file = fopen("small.txt", "r");
	char line[100];
	while (fgets(line, sizeof line, file))
		;
	fclose(file);
	return told;
}
static void *race(void *told)
{
	for (int n = 0; n < 20000; n++)
		counter++;
	return told;
}
int main(int argc, char **argv)
{
	pthread_t threads[4];
	for (int n = 0; n < 4; n++)
		pthread_create(&threads[n], NULL, work, NULL);
	for (int n = 0; n < 4; n++)
		pthread_join(threads[n], NULL);
	printf("counter %d\n", counter);
	fflush(stdout);
	if (fork() == 0)
		_exit(3);
	int status;
	wait(&status);
	printf("child %d\n", WEXITSTATUS(status));
	fflush(stdout);
	if (argc < 2)
		return 0;
	char *room = malloc(10);
	if (!strcmp(argv[1], "heap")) {
		free(room);
		printf("%d\n", room[argc]);
	}
	if (!strcmp(argv[1], "leak")) {
		room = NULL;
	}
	if (!strcmp(argv[1], "shift"))
		printf("%d\n", 1 << (argc + 40));
	if (!strcmp(argv[1], "segv"))
		*(volatile int *)(long)(argc - 2) = 1;
	if (!strcmp(argv[1], "race")) {
		for (int n = 0; n < 2; n++)
			pthread_create(&threads[n], NULL, race, NULL);
		for (int n = 0; n < 2; n++)
			pthread_join(threads[n], NULL);
	}
	return 0;
}
