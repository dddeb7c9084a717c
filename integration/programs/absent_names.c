/* A name looked for in vain must be found as soon as it is there, whatever changed on the way to it:
 * the working directory (by whom?), a directory's or a symlink's name, what a symlink leads to. */
#include "say.h"
#include <pthread.h>
#include <sched.h>

static int lookups(const char *name)
{
	struct stat status;
	int fd, found = 0;

	for (int i = 0; i < 3; i++) /* the first asks, the others know */
		found = stat(name, &status) == 0;
	found = found * 2 + (lstat(name, &status) == 0);
	found = found * 2 + (access(name, F_OK) == 0);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return found * 2 + (fd >= 0);
}
#define LOOK(name) printf("%s: %d\n", #name, lookups(name))

static void make(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	if (fd >= 0)
		close(fd);
}

static void *elsewhere(void *unused)
{
	(void)unused;
	TRY(unshare(CLONE_FS));
	TRY(chdir("two"));
	LOOK("only_two");
	LOOK("absent");
	return NULL;
}

static char stack[1 << 16];

static int moves_us(void *unused)
{
	(void)unused;
	return chdir("two");
}

int main(void)
{
	int two, top = open(".", O_RDONLY | O_DIRECTORY);
	pthread_t thread;
	pid_t child;

	TRY(mkdir("one", 0755));
	TRY(mkdir("two", 0755));
	make("two/only_two");
	LOOK("only_two");
	LOOK("one/only_two");
	TRY(chdir("two"));
	LOOK("only_two");
	TRY(fchdir(top));
	LOOK("only_two");
	two = open("two", O_RDONLY | O_DIRECTORY);
	TRY(fchdir(two));
	LOOK("only_two");
	TRY(fchdir(top));

	LOOK("one/only_two"); /* a directory in another's place */
	TRY(rename("one", "three"));
	TRY(rename("two", "one"));
	LOOK("one/only_two");
	LOOK("two/only_two");
	TRY(rename("one", "two"));
	TRY(rename("three", "one"));
	LOOK("one/only_two");
	LOOK("two/only_two");

	TRY(symlink("one", "way")); /* a symlink that leads somewhere else */
	LOOK("way/only_two");
	TRY(unlink("way"));
	TRY(symlink("two", "way"));
	LOOK("way/only_two");
	TRY(symlink("one", "way2"));
	LOOK("way2/only_two");
	TRY(rename("way", "way2"));
	LOOK("way2/only_two");

	TRY(symlink("../two/later", "one/dangling")); /* one whose end comes later */
	LOOK("one/dangling");
	make("two/later");
	LOOK("one/dangling");
	LOOK("one/nothing");
	TRY(symlink("nothing", "two/dangling"));
	TRY(rename("two/dangling", "one/moved"));
	LOOK("one/moved");
	make("one/nothing");
	LOOK("one/moved");
	LOOK("one/nothing");
	TRY(unlink("one/nothing"));
	LOOK("one/nothing");

	char here[4096], link[64], through[128]; /* by way of a place of the machine's own */
	TRY(getcwd(here, sizeof here) ? 0 : -1);
	snprintf(link, sizeof link, "/tmp/way-%d", (int)getpid());
	snprintf(through, sizeof through, "%s/only_two", link);
	strcat(here, "/one");
	TRY(symlink(here, link));
	printf("through: %d\n", lookups(through));
	TRY(unlink(link));
	strcpy(strrchr(here, '/'), "/two");
	TRY(symlink(here, link));
	printf("through: %d\n", lookups(through));
	TRY(unlink(link));

	LOOK("only_two"); /* another's chdir */
	child = clone(moves_us, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL);
	TRY(waitpid(child, NULL, 0) == child ? 0 : -1);
	LOOK("only_two");
	TRY(fchdir(top));
	LOOK("only_two");
	child = vfork();
	if (child == 0) {
		if (chdir("two"))
			_exit(1);
		_exit(lookups("only_two") == 15 ? 0 : 2);
	}
	int status;
	TRY(waitpid(child, &status, 0) == child ? 0 : -1);
	printf("child: %x\n", status);
	LOOK("only_two");
	pthread_create(&thread, NULL, elsewhere, NULL); /* which prints: nothing of ours meanwhile */
	TRY(pthread_join(thread, NULL));
	LOOK("only_two");

	TRY(chmod("two", 0)); /* what may not be searched says so (unless one may everything) */
	errno = 0;
	stat("two/absent", &(struct stat){ 0 });
	printf("%d\n", geteuid() == 0 || errno == EACCES);
	TRY(chmod("two", 0755));
	LOOK("two/absent");
	return 0;
}
