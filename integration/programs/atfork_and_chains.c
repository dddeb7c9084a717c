/* fork in threads: atfork handlers in their order, locks kept right, one thread in the child; long chains and wide trees of processes.
 * timeout: 120
 */
#include <sched.h>
#include "sig.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char order[64];
static int at;

static void note(char what)
{
	if (at < 60)
		order[at++] = what;
}
static void before1(void)
{
	note('1');
	pthread_mutex_lock(&lock);
}
static void before2(void)
{
	note('2');
}
static void parent1(void)
{
	note('p');
	pthread_mutex_unlock(&lock);
}
static void parent2(void)
{
	note('q');
}
static void child1(void)
{
	note('c');
	pthread_mutex_unlock(&lock);
}
static void child2(void)
{
	note('d');
}

static void *locks(void *arg)
{
	for (int i = 0; i < 300; i++) {
		pthread_mutex_lock(&lock);
		access("dir/absent", F_OK);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static int threads_now(void)
{
	char line[256];
	int count = -1;
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Threads: %d", &count) == 1)
			break;
	fclose(status);
	return count;
}

static int bad;
static void *forks(void *arg)
{
	char name[32];
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			struct stat st;
			pthread_mutex_lock(&lock);
			snprintf(name, sizeof(name), "made-%ld-%d", (long)arg, i);
			put(name, name);
			_exit(threads_now() == 1 && stat("small.txt", &st) == 0 && getpid() == gettid() ? 33 : 34);
		}
		int status;
		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 33)
			__atomic_add_fetch(&bad, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* Each waits for the next, and adds one. */
static int chain(int length)
{
	for (int i = 0; i < length; i++) {
		pid_t pid = fork();
		if (pid != 0) {
			int status;
			if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
				_exit(255);
			if (i == 0)
				return WEXITSTATUS(status);
			_exit(WEXITSTATUS(status) + 1);
		}
	}
	put("end of the chain", "here\n");
	_exit(1);
}

int main(void)
{
	pthread_t threads[6];
	pthread_atfork(before1, parent1, child1);
	pthread_atfork(before2, parent2, child2);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		puts(order);
		_exit(0);
	}
	show_wait("child", pid);
	puts(order);
	for (long i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, i < 2 ? locks : forks, (void *)i);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	printf("bad %d\n", bad);
	printf("chain %d\n", chain(60));
	show("end of the chain");
	int p[2], count = 0, got;
	char bytes[100];
	pid_t root = getpid();
	MUST(pipe(p));
	for (int level = 0; level < 6; level++)
		MUST(fork());
	MUST(write(p[1], "x", 1));
	while (wait(NULL) > 0)
		;
	if (getpid() != root)
		_exit(0);
	close(p[1]);
	while ((got = (int)read(p[0], bytes, sizeof(bytes))) > 0)
		count += got;
	printf("tree of %d\n", count);
	return 0;
}
