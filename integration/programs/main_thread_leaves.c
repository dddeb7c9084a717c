/* The main thread ends first: the others go on with files, children and execs; the process ends with the last of them. */
#include "sig.h"

static pthread_t main_thread;

static void until_main_is_gone(void)
{
	until_state(getpid(), 'Z');
}

static void *works(void *arg)
{
	char where[4096];
	struct stat st;
	(void)arg;
	void *result = NULL;
	printf("joined main: %d", pthread_join(main_thread, &result));
	printf(" %ld\n", (long)result);
	until_main_is_gone();
	show("small.txt");
	show("dir/sub/deep/leaf.txt");
	YES(getcwd(where, sizeof(where)) != NULL);
	int directory = TRY(open("tree", O_RDONLY | O_DIRECTORY));
	int fd = TRY(openat(directory, "1/2/3/end", O_RDONLY));
	TRY(fstatat(directory, "1/2", &st, 0));
	TRY(fstatat(directory, "absent", &st, 0));
	TRY(mkdirat(directory, "new", 0755));
	TRY(renameat(directory, "new", directory, "newer"));
	TRY(fchdir(directory));
	TRY(stat("1/2/3", &st));
	TRY(chdir(".."));
	TRY(fstat(fd, &st));
	printf("%ld\n", (long)st.st_size);
	char *content = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	printf("%.7s\n", content == MAP_FAILED ? "failed" : content);
	put("made.txt", "by another thread\n");
	show("made.txt");
	TRY(rename("made.txt", "dir/moved.txt"));
	TRY(unlink("dir/c"));
	TRY(chmod("dir/a", 0600));
	TRY(truncate("lines.txt", 5000));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		show("link");
		_exit(stat("dir/moved.txt", &st) ? 1 : 6);
	}
	show_wait("child", pid);
	printf("system: %d\n", system("cat empty small.txt; exit 4"));
	return NULL;
}

static void *execs(void *arg)
{
	works(arg);
	pthread_t other;
	pthread_create(&other, NULL, (void *(*)(void *))(void *)pause, NULL);
	execl("/bin/sh", "sh", "-c", "cat dir/moved.txt; exit 11", NULL);
	return NULL;
}

static void leave(void *(*body)(void *), int number)
{
	pthread_t thread;
	main_thread = pthread_self();
	pthread_create(&thread, NULL, body, NULL);
	if (number == 0)
		pthread_detach(thread);
	pthread_exit((void *)42);
}

int main(void)
{
	pid_t pid = MUST(fork());
	if (pid == 0)
		leave(execs, 1);
	show_wait("execs", pid);
	/* last: our own end */
	leave(works, 0);
}
