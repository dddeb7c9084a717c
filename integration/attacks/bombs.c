/* Bombs, each within bounds of its own: processes, threads, memory, disk, inodes, descriptors. argv: which. */
#include <pthread.h>
#include "attack.h"

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

static int processes(void)
{
	int made = 0;
	for (; made < 20000; made++) {
		pid_t pid = fork();
		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid < 0)
			break;
	}
	printf("%d processes until %s\n", made, strerrorname_np(errno));
	return made < 20000 ? HELD("fork bomb") : BROKE("no bound on processes");
}

static int threads(void)
{
	int made = 0, error = 0;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 16384 * 2);
	for (; made < 20000; made++) {
		pthread_t thread;
		if ((error = pthread_create(&thread, &small, sleeper, NULL)) != 0)
			break;
	}
	printf("%d threads until %s\n", made, strerrorname_np(error));
	return made < 20000 ? HELD("thread bomb") : BROKE("no bound on threads");
}

static int memory(long limit)
{
	long taken = 0;
	for (; taken < limit; taken += 16 << 20) {
		char *more = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (more == MAP_FAILED)
			break;
		memset(more, 1, 16 << 20);
	}
	printf("%ld MB until %s\n", taken >> 20, strerrorname_np(errno));
	return taken < limit ? HELD("memory bomb") : BROKE("no bound on memory");
}

static int disk(const char *directory, long limit)
{
	static char block[1 << 20];
	char name[256];
	long written = 0;
	snprintf(name, sizeof(name), "%s/bomb", directory);
	int fd = open(name, O_WRONLY | O_CREAT, 0600);
	memset(block, 1, sizeof(block));
	while (fd >= 0 && written < limit) {
		ssize_t got = write(fd, block, sizeof(block));
		if (got <= 0)
			break;
		written += got;
	}
	printf("%ld MB in %s until %s\n", written >> 20, directory, strerrorname_np(errno));
	unlink(name);
	return written < limit ? HELD("disk bomb in %s", directory) : BROKE("no bound on %s", directory);
}

static int inodes(long limit)
{
	char name[64];
	long made = 0;
	for (; made < limit; made++) {
		snprintf(name, sizeof(name), "/tmp/i%ld", made);
		int fd = open(name, O_WRONLY | O_CREAT, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	printf("%ld inodes until %s\n", made, strerrorname_np(errno));
	return made < limit ? HELD("inode bomb") : BROKE("no bound on inodes");
}

int main(int argc, char **argv)
{
	long limit = argc > 2 ? atol(argv[2]) << 20 : 1l << 30;
	if (strcmp(argv[1], "processes") == 0)
		processes();
	else if (strcmp(argv[1], "threads") == 0)
		threads();
	else if (strcmp(argv[1], "memory") == 0)
		memory(limit);
	else if (strcmp(argv[1], "inodes") == 0)
		inodes(2000000);
	else
		disk(argv[1], limit);
	return 0;
}
