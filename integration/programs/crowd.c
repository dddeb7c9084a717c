/* Sixteen threads and fifty processes at once, each with files of its own.
 * timeout: 100
 */
#include <pthread.h>
#include "say.h"

static unsigned work(int number, int rounds)
{
	char name[32], text[16];
	unsigned good = 0;
	struct stat st;
	for (int i = 0; i < rounds; i++) {
		snprintf(name, sizeof name, "crowd-%d-%d", number, i % 3);
		int fd = open(name, O_RDWR | O_CREAT, 0644);
		good += fd >= 0 && pwrite(fd, name, strlen(name), 0) == (ssize_t)strlen(name);
		good += pread(fd, text, 5, 0) == 5 && memcmp(text, "crowd", 5) == 0;
		good += fstat(fd, &st) == 0 && st.st_size == (off_t)strlen(name);
		close(fd);
	}
	return good;
}

static void *in_thread(void *number)
{
	return (void *)(long)work((int)(long)number, 30);
}

int main(void)
{
	pthread_t threads[16];
	pid_t children[50];
	unsigned good = 0, ended = 0;
	for (int i = 0; i < 50; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(work(100 + i, 20) == 60 ? 0 : 1);
	}
	for (long i = 0; i < 16; i++)
		pthread_create(&threads[i], NULL, in_thread, (void *)i);
	for (int i = 0; i < 16; i++) {
		void *result;
		pthread_join(threads[i], &result);
		good += (unsigned)(long)result;
	}
	for (int i = 0; i < 50; i++) {
		int status;
		waitpid(children[i], &status, 0);
		ended += status == 0;
	}
	printf("%u %u\n", good, ended);
	return 0;
}
