/* exit_group, exec and deadly signals while other threads are in handlers, calls, faults and other ends.
 * timeout: 120
 */
#include "sig.h"

static volatile int started;
static int p[2];

static void *reads(void *arg)
{
	static char byte;
	(void)arg;
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	for (;;)
		read(p[0], &byte, 1);
	return NULL;
}

static void *stats(void *arg)
{
	struct stat st;
	(void)arg;
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	for (;;)
		stat("dir/a", &st), stat("absent", &st), close(open("lines.txt", O_RDONLY));
	return NULL;
}

static void *writes(void *arg)
{
	int fd = open(arg, O_WRONLY | O_CREAT, 0644);
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	for (;;)
		pwrite(fd, "same bytes", 10, 0);
	return NULL;
}

static void in_handler(int number)
{
	struct stat st;
	(void)number;
	for (;;)
		stat("dir/b", &st), access("dir/absent", F_OK);
}

static void *handles(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	raise(SIGUSR1);
	return NULL;
}

static void *short_ones(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, (void *(*)(void *))(void *)getpid, NULL) == 0)
			pthread_join(thread, NULL);
	}
	return NULL;
}

static void *maps(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		int fd = open("big.bin", O_RDONLY);
		char *content = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE, fd, 0);
		volatile char byte = content == MAP_FAILED ? 0 : content[500000];
		(void)byte;
		munmap(content, 1 << 20);
		close(fd);
	}
	return NULL;
}

static void *leaves(void *arg)
{
	switch ((long)arg) {
	case 0:
		_exit(21);
	case 1:
		kill(getpid(), SIGTERM);
		break;
	case 2:
		execl("/bin/sh", "sh", "-c", "cat small.txt; exit 22", NULL);
		break;
	case 3:
		*(volatile int *)0 = 1;
		break;
	case 4:
		abort();
	case 5:
		exit(23);
	case 6:
		execl("dir/absent", "absent", NULL);
		_exit(errno == ENOENT ? 24 : 25);
	}
	return NULL;
}

static void child(long how, int from_main)
{
	static void *(*const bodies[])(void *) = { reads, stats, writes, handles, short_ones, maps };
	pthread_t thread;
	on(SIGUSR1, in_handler, 0);
	for (unsigned i = 0; i < 6; i++)
		pthread_create(&thread, NULL, bodies[i], "same.txt");
	while (started < 6)
		sched_yield();
	if (from_main)
		leaves((void *)how);
	else
		pthread_create(&thread, NULL, leaves, (void *)how);
	for (;;)
		pause();
}

int main(void)
{
	MUST(pipe(p));
	put("same.txt", "same bytes");
	for (long how = 0; how < 7; how++)
		for (int from_main = 0; from_main < 2; from_main++)
			for (int round = 0; round < 3; round++) {
				pid_t pid = MUST(fork());
				if (pid == 0)
					child(how, from_main);
				char what[32];
				snprintf(what, sizeof(what), "%ld%s", how, from_main ? " by main" : "");
				show_wait(what, pid);
			}
	show("same.txt");
	return 0;
}
