/* Limits that are reached: descriptors, processes, memory, stack, arguments; what each call then says. */
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include "sig.h"

extern char **environ;

static void set(int what, unsigned long soft)
{
	struct rlimit now;
	MUST(getrlimit(what, &now));
	now.rlim_cur = soft;
	MUST(setrlimit(what, &now));
}

static void *nothing(void *arg)
{
	return arg;
}

static void few_descriptors(void)
{
	int p[2], fds[64], count = 0;
	set(RLIMIT_NOFILE, 24);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	while ((fds[count] = open("small.txt", O_RDONLY)) >= 0)
		count++;
	printf("opened %d: %s\n", count, strerrorname_np(errno));
	TRY(open("dir/b", O_RDONLY));
	TRY(open("new.txt", O_WRONLY | O_CREAT, 0644));
	TRY(dup(0));
	TRY(pipe(p));
	TRY(socket(AF_UNIX, SOCK_STREAM, 0));
	TRY(fcntl(0, F_DUPFD, 24));
	TRY(dup2(0, 24));
	/* names need none */
	struct stat st;
	TRY(stat("dir/sub/deep/leaf.txt", &st));
	TRY(stat("dir/sub/none", &st));
	TRY(mkdir("made", 0755));
	TRY(rename("made", "moved"));
	TRY(unlink("dir/c"));
	TRY(chdir("tree"));
	TRY(chdir(".."));
	TRY(access("script.sh", X_OK));
	char bytes[32];
	VALUE(pread(fds[0], bytes, 5, 6));
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
	TRY(open("dir/b", O_RDONLY));
	_exit(0);
}

static void no_processes(void)
{
	pthread_t thread;
	pid_t pid;
	char *argv[] = { "true", NULL };
	set(RLIMIT_NPROC, 0);
	TRY(fork());
	TRY(vfork());
	printf("pthread_create: %s\n", strerrorname_np(pthread_create(&thread, NULL, nothing, NULL)));
	printf("posix_spawn: %s\n", strerrorname_np(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ)));
	printf("system: %d %s\n", system("true"), strerrorname_np(errno));
	show("small.txt");
	_exit(0);
}

static void little_memory(void)
{
	pthread_t thread;
	void *result;
	set(RLIMIT_AS, 100ul << 20); /* less than what hpool maps, beside */
	YES(mmap(NULL, 500ul << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
	YES(malloc(600ul << 20) == NULL);
	printf("pthread_create: %d\n", pthread_create(&thread, NULL, nothing, NULL));
	pthread_join(thread, &result);
	YES(result == NULL);
	show("lines.txt");
	pid_t pid = MUST(fork());
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "cat small.txt", NULL);
		_exit(9);
	}
	show_wait("child", pid);
	_exit(0);
}

static void small_files(void)
{
	signal(SIGXFSZ, SIG_IGN);
	set(RLIMIT_FSIZE, 5000);
	static char block[4096];
	int fd = MUST(open("bounded", O_RDWR | O_CREAT, 0644));
	VALUE(write(fd, block, 4096));
	VALUE(write(fd, block, 4096));
	VALUE(write(fd, block, 4096));
	VALUE(pwrite(fd, block, 10, 4995));
	VALUE(pwrite(fd, block, 10, 5000));
	TRY(ftruncate(fd, 5001));
	TRY(truncate("lines.txt", 5001));
	TRY(truncate("lines.txt", 4999));
	TRY(posix_fallocate(fd, 0, 6000) ? -1 : 0);
	_exit(0);
}

static void many_arguments(void)
{
	set(RLIMIT_STACK, 1 << 20);
	static char *argv[4000];
	static char word[100];
	memset(word, 'w', 99);
	argv[0] = "true";
	for (int i = 1; i < 3999; i++)
		argv[i] = word;
	pid_t pid = MUST(fork());
	if (pid == 0) {
		execv("/bin/true", argv);
		printf("%s\n", strerrorname_np(errno));
		_exit(7);
	}
	show_wait("4000 words", pid);
	argv[2000] = NULL;
	pid = MUST(fork());
	if (pid == 0) {
		execv("/bin/true", argv);
		_exit(8);
	}
	show_wait("2000 words", pid);
	_exit(0);
}

static void nobody_higher(void)
{
	struct rlimit limit;
	MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 100, 200 }));
	TRY(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 150, 200 }));
	TRY(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 150, 300 }));
	TRY(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 201, 200 }));
	TRY(prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit));
	TRY(prlimit(0, RLIMIT_NOFILE, &(struct rlimit){ 60, 200 }, &limit));
	printf("%lu %lu\n", limit.rlim_cur, limit.rlim_max);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "ulimit -n; ulimit -Hn", NULL);
		_exit(9);
	}
	show_wait("over an exec", pid);
	_exit(0);
}

int main(void)
{
	static void (*const parts[])(void) = { few_descriptors, no_processes,   little_memory,
					       small_files,     many_arguments, nobody_higher };
	for (unsigned i = 0; i < 6; i++) {
		pid_t pid = MUST(fork());
		if (pid == 0)
			parts[i]();
		show_wait("part", pid);
	}
	return 0;
}
