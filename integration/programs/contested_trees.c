/* Eight processes make, fill, rename and remove the same few directories at once, also while one stands in
 * them: each call ends in a way that native ones can end in, and nothing is left that cannot be removed. */
#include "say.h"
#include <dirent.h>

enum { WORKERS = 8, ROUNDS = 200 };

static const char *const DIRECTORIES[] = { "trees/a", "trees/b", "trees/a/x", "trees/b/x", "trees/a/x/y" };
static const char *const FILES[] = { "trees/a/f", "trees/b/f", "trees/a/x/f", "trees/b/x/f", "trees/a/x/y/f" };

static void may_be(const char *what, long result, const int *allowed)
{
	int error = result < 0 ? errno : 0;
	if (error == 0 || error == ENOENT)
		return;
	for (; *allowed; allowed++)
		if (*allowed == error)
			return;
	printf("%s: %s\n", what, strerrorname_np(error));
}

#define MAY_BE(what, result, ...) may_be(what, result, (const int[]){ __VA_ARGS__ __VA_OPT__(, ) 0 })

static void look_through(const char *path)
{
	char name[300];
	struct stat st;
	DIR *directory = opendir(path);
	struct dirent *entry;
	MAY_BE("opendir", directory ? 0 : -1);
	while (directory && (entry = readdir(directory)) != NULL) {
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		MAY_BE("lstat of an entry", lstat(name, &st));
	}
	if (directory)
		closedir(directory);
}

static void stand_in(const char *path)
{
	struct stat st;
	int here = open(".", O_RDONLY | O_DIRECTORY), fd;
	if (chdir(path) == 0) {
		MAY_BE("stat of .", stat(".", &st));
		fd = open("within", O_RDWR | O_CREAT, 0600);
		MAY_BE("open within", fd);
		if (fd >= 0 && (write(fd, "1234", 4) != 4 || pread(fd, &st, 4, 0) < 0))
			puts("what is open within cannot be used");
		if (fd >= 0)
			close(fd);
		MAY_BE("unlink within", unlink("within"));
	}
	if (fchdir(here))
		puts("no way back");
	close(here);
}

static void one(unsigned *seed)
{
	const char *directory = DIRECTORIES[rand_r(seed) % 5], *other = DIRECTORIES[rand_r(seed) % 5];
	const char *file = FILES[rand_r(seed) % 5], *other_file = FILES[rand_r(seed) % 5];
	struct stat st;
	int fd;

	switch (rand_r(seed) % 11) {
	case 0:
	case 1:
		MAY_BE("mkdir", mkdir(directory, 0700), EEXIST);
		break;
	case 2:
		MAY_BE("rmdir", rmdir(directory), ENOTEMPTY);
		break;
	case 3:
		MAY_BE("rename of a directory", rename(directory, other), ENOTEMPTY, EEXIST, EINVAL);
		break;
	case 4:
	case 5:
		fd = open(file, O_RDWR | O_CREAT | (rand_r(seed) % 2 ? O_TRUNC : 0), 0600);
		MAY_BE("create", fd);
		if (fd >= 0) {
			if (write(fd, "content", 7) != 7)
				puts("no write");
			close(fd);
		}
		break;
	case 6:
		MAY_BE("unlink", unlink(file));
		break;
	case 7:
		MAY_BE("rename of a file", rename(file, other_file));
		break;
	case 8:
		MAY_BE("stat", stat(file, &st));
		MAY_BE("access", access(directory, R_OK));
		break;
	case 9:
		look_through(directory);
		break;
	default:
		stand_in(directory);
	}
}

static void remove_all(const char *path)
{
	char name[PATH_MAX];
	DIR *directory = opendir(path);
	struct dirent *entry;
	while (directory && (entry = readdir(directory)) != NULL) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			remove_all(name);
		else if (unlink(name))
			printf("%s: %s\n", name, strerrorname_np(errno));
	}
	if (directory)
		closedir(directory);
	if (rmdir(path))
		printf("%s: %s\n", path, strerrorname_np(errno));
}

int main(void)
{
	mkdir("trees", 0700);
	for (int worker = 0; worker < WORKERS; worker++)
		if (fork() == 0) {
			unsigned seed = (unsigned)worker * 104729 + 7;
			for (int i = 0; i < ROUNDS; i++)
				one(&seed);
			exit(0);
		}
	for (int status; wait(&status) > 0;)
		if (status)
			printf("a worker ended with %d\n", status);
	remove_all("trees");
	struct stat st;
	printf("trees: %s\n", lstat("trees", &st) ? strerrorname_np(errno) : "still there");
	return 0;
}
