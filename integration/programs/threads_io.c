/* Threads reading and writing at once: shared descriptors by offset, own files, one directory. */
#include <pthread.h>
#include "say.h"

#define THREADS 8
static int shared;
static uint64_t sums[THREADS];

static void *work(void *arg)
{
	long me = (long)arg;
	char block[4096], name[32];
	uint64_t hash = FNV_START;
	for (int i = 0; i < 96; i++) {
		if (pread(shared, block, sizeof(block), (i * THREADS + me) * 4096L) != sizeof(block))
			return (void *)1;
		hash = fnv(hash, block, sizeof(block));
	}
	sums[me] = hash;
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "dir/t%ld-%d", me, i);
		int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
		if (fd < 0 || write(fd, name, strlen(name)) != (ssize_t)strlen(name) || close(fd) != 0)
			return (void *)2;
		if (i % 2 && unlink(name) != 0)
			return (void *)3;
	}
	int fd = open("by_offset", O_WRONLY);
	memset(block, 'A' + me, sizeof(block));
	for (int i = 0; i < 16; i++)
		if (pwrite(fd, block, sizeof(block), (i * THREADS + me) * 4096L) != sizeof(block))
			return (void *)4;
	close(fd);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	shared = MUST(open("big.bin", O_RDONLY));
	put("by_offset", "");
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		void *result;
		pthread_join(threads[i], &result);
		printf("thread %d: %ld %016lx\n", i, (long)result, sums[i]);
	}
	printf("%016lx\n", file_sum("by_offset"));
	return 0;
}
