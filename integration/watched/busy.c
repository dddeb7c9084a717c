/* Threads and children that make known calls, until a file named "enough" appears; says what it counted. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 3

static volatile sig_atomic_t ticks;
static int failed[THREADS];

static void tick(int number)
{
	struct stat about;

	ticks += number == SIGALRM && stat("small.txt", &about) == 0;
}

/* A pipe to itself: every read waits for the write before it, and both are passed to the kernel. */
static void *talk(void *argument)
{
	int *wrong = argument, ends[2];
	char name[32], out = 'a', in = 0;

	snprintf(name, sizeof name, "absent-%d", (int)(wrong - failed));
	if (pipe(ends))
		*wrong += 1000;
	while (access("enough", F_OK)) {
		ssize_t length;

		*wrong += write(ends[1], &out, 1) != 1;
		do
			length = read(ends[0], &in, 1);
		while (length < 0 && errno == EINTR);
		*wrong += length != 1 || in != out;
		*wrong += open(name, O_RDONLY) != -1 || errno != ENOENT;
		out = out == 'z' ? 'a' : (char)(out + 1);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = tick };
	struct itimerval every = { { 0, 3000 }, { 0, 3000 } };
	pthread_t threads[THREADS];
	int children = 0, wrong = 0;

	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, talk, &failed[i]);
	setitimer(ITIMER_REAL, &every, NULL);
	puts("going");
	fflush(stdout);
	while (access("enough", F_OK)) {
		int status = 1;
		pid_t child = fork();

		if (child == 0) {
			struct stat about;

			_exit(stat("small.txt", &about) ? 2 : 0);
		}
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		wrong += status != 0;
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
		children++;
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		wrong += failed[i];
	}
	printf("children %s, ticks %s, wrong %d\n", children > 0 ? "some" : "none", ticks > 0 ? "some" : "none", wrong);
	return wrong != 0;
}
