/* Eight processes make, open, rename, link, replace and remove the same few names at once: each call
 * ends in a way that native ones can end in, and what is left is what a look says is left. */
#include "say.h"
#include <dirent.h>

enum { WORKERS = 8, ROUNDS = 250, NAMES = 3 };

struct call {
	const char *name;
	int allowed[10];
};

static const struct call CALLS[] = {
	{ "create", { 0, EISDIR, ELOOP } },
	{ "create new", { 0, EEXIST } },
	{ "create empty", { 0, EISDIR, ELOOP } },
	{ "open", { 0, ENOENT, ELOOP } },
	{ "open to write", { 0, ENOENT, EISDIR, ELOOP } },
	{ "unlink", { 0, ENOENT, EISDIR } },
	{ "rename", { 0, ENOENT, ENOTDIR, EISDIR, ENOTEMPTY } },
	{ "link", { 0, ENOENT, EEXIST, EPERM } },
	{ "mkdir", { 0, EEXIST } },
	{ "rmdir", { 0, ENOENT, ENOTDIR } },
	{ "stat", { 0, ENOENT } },
	{ "truncate", { 0, ENOENT, EISDIR } },
	{ "chmod", { 0, ENOENT } },
	{ "symlink", { 0, EEXIST } },
	{ "readlink", { 0, ENOENT, EINVAL } },
	{ "exchange", { 0, ENOENT } },
	{ "rename to none", { 0, ENOENT, EEXIST } },
};

static void may_be(int call, long result)
{
	int error = result < 0 ? errno : 0;
	for (int i = 0; i < 10; i++)
		if (CALLS[call].allowed[i] == error && (error || i == 0))
			return;
	printf("%s: %s\n", CALLS[call].name, strerrorname_np(error));
}

static void use_descriptor(int call, int fd)
{
	char text[8];
	struct stat st;
	may_be(call, fd);
	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0)
		printf("fstat of what %s gave: %s\n", CALLS[call].name, strerrorname_np(errno));
	if (S_ISREG(st.st_mode) && call < 3 && write(fd, "content", 7) != 7)
		printf("write to what %s gave: %s\n", CALLS[call].name, strerrorname_np(errno));
	if (S_ISREG(st.st_mode) && call < 4 && pread(fd, text, 7, 0) < 0)
		printf("read of what %s gave: %s\n", CALLS[call].name, strerrorname_np(errno));
	close(fd);
}

static void one(unsigned *seed)
{
	static const char *names[NAMES] = { "contested/a", "contested/b", "contested/c" };
	int first = rand_r(seed) % NAMES, second = (first + 1 + rand_r(seed) % (NAMES - 1)) % NAMES;
	const char *name = names[first], *other = names[second];
	char text[64];
	struct stat st;
	int call = (int)((unsigned)rand_r(seed) % (sizeof CALLS / sizeof *CALLS));

	errno = 0;
	switch (call) {
	case 0:
		use_descriptor(call, open(name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
		break;
	case 1:
		use_descriptor(call, open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
		break;
	case 2:
		use_descriptor(call, open(name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
		break;
	case 3:
		use_descriptor(call, open(name, O_RDONLY | O_NOFOLLOW));
		break;
	case 4:
		use_descriptor(call, open(name, O_WRONLY | O_NOFOLLOW));
		break;
	case 5:
		may_be(call, unlink(name));
		break;
	case 6:
		may_be(call, rename(name, other));
		break;
	case 7:
		may_be(call, link(name, other));
		break;
	case 8:
		may_be(call, mkdir(name, 0700));
		break;
	case 9:
		may_be(call, rmdir(name));
		break;
	case 10:
		may_be(call, lstat(name, &st));
		break;
	case 11:
		may_be(call, truncate(name, 3));
		break;
	case 12:
		may_be(call, chmod(name, 0640));
		break;
	case 13:
		may_be(call, symlink("../beside", name));
		break;
	case 14:
		may_be(call, readlink(name, text, sizeof text));
		break;
	case 15:
		may_be(call, renameat2(AT_FDCWD, name, AT_FDCWD, other, RENAME_EXCHANGE));
		break;
	case 16:
		may_be(call, renameat2(AT_FDCWD, name, AT_FDCWD, other, RENAME_NOREPLACE));
		break;
	}
}

int main(void)
{
	int listed = 0, there = 0;
	char name[300];
	struct dirent *entry;
	struct stat st;

	mkdir("contested", 0700);
	close(open("beside", O_CREAT | O_WRONLY, 0600));
	for (int worker = 0; worker < WORKERS; worker++)
		if (fork() == 0) {
			unsigned seed = (unsigned)worker * 7919 + 1;
			for (int i = 0; i < ROUNDS; i++)
				one(&seed);
			exit(0);
		}
	for (int status; wait(&status) > 0;)
		if (status)
			printf("a worker ended with %d\n", status);
	DIR *directory = opendir("contested");
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.') {
			snprintf(name, sizeof name, "contested/%s", entry->d_name);
			listed++;
			there += lstat(name, &st) == 0;
			if (S_ISDIR(st.st_mode) ? rmdir(name) : unlink(name))
				perror(name);
		}
	closedir(directory);
	printf("what is listed is there: %s\n", listed == there ? "yes" : "no");
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "contested/%c", 'a' + i);
		printf("%s: %s\n", name, lstat(name, &st) ? strerrorname_np(errno) : "still there");
	}
	TRY(rmdir("contested"));
	unlink("beside");
	return 0;
}
