/* The kind of each name, as listings give it without a stat; and the program's attributes by /proc/self/exe. */
#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "say.h"

static void list_old(const char *wanted)
{
	static unsigned char block[32768];
	int dir = MUST(open("kinds", O_RDONLY | O_DIRECTORY));
	long got = MUST(syscall(SYS_getdents, dir, block, sizeof block));

	for (long at = 0; at < got;) {
		unsigned short size;

		memcpy(&size, block + at + 16, sizeof size);
		if (strcmp((char *)block + at + 18, wanted) == 0)
			printf("old %s: %d\n", wanted, block[at + size - 1]);
		at += size;
	}
	close(dir);
}

static void list(void)
{
	struct dirent **names;
	int count = MUST(scandir("kinds", &names, NULL, alphasort));

	for (int i = 0; i < count; i++) {
		printf("%s: %d\n", names[i]->d_name, names[i]->d_type);
		list_old(names[i]->d_name);
	}
}

static void copy_program(const char *to)
{
	static char block[65536];
	int in = MUST(open("/proc/self/exe", O_RDONLY)), out = MUST(open(to, O_WRONLY | O_CREAT | O_EXCL, 0755));
	ssize_t got;

	while ((got = MUST(read(in, block, sizeof block))) > 0)
		MUST(write(out, block, (size_t)got));
	close(in);
	close(out);
}

static int own_attributes(void)
{
	const struct timespec old[2] = { { 1000000, 1 }, { 2000000, 2 } };
	struct stat st;

	TRY(chmod("/proc/self/exe", 0711));
	TRY(utimensat(AT_FDCWD, "/proc/self/exe", old, 0));
	MUST(stat("kinds/copy", &st));
	printf("mode %o time %ld\n", st.st_mode, (long)st.st_mtime);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "kinds/bound" };

	if (argc > 1)
		return own_attributes();
	(void)argv;
	MUST(mkdir("kinds", 0755));
	MUST(mkdir("kinds/directory", 0755));
	MUST(mknod("kinds/socket", S_IFSOCK | 0644, 0));
	MUST(mkfifo("kinds/fifo", 0644));
	MUST(symlink("x", "kinds/symlink"));
	MUST(bind(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&address, sizeof address));
	put("kinds/file", "text\n");
	copy_program("kinds/copy");
	list();
	if (MUST(fork()) == 0) {
		execl("kinds/copy", "copy", "again", NULL);
		_exit(1);
	}
	show_wait("copy", -1);
	/* a relinked program's bytes are not the plain one's: the trees that are compared would differ */
	MUST(unlink("kinds/copy"));
	return 0;
}
