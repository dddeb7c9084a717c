/* /proc/self/fd lists exactly the program's descriptors and where they lead. */
#include <dirent.h>
#include "say.h"

static int count(void)
{
	int open_now = 0;
	DIR *dir = opendir("/proc/self/fd");
	for (struct dirent *entry; (entry = readdir(dir));)
		open_now += entry->d_name[0] != '.';
	closedir(dir);
	return open_now - 1;
}

static void where(int fd)
{
	char name[64], text[PATH_MAX], cwd[PATH_MAX];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(name, text, sizeof(text) - 1);
	text[length < 0 ? 0 : length] = 0;
	MUST(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	size_t base = strlen(cwd);
	printf("%s\n", strncmp(text, cwd, base) == 0 ? text + base : text);
}

int main(void)
{
	int before = count();
	int a = MUST(open("small.txt", O_RDONLY)), d = MUST(open("dir", O_RDONLY));
	int big = MUST(open("big.bin", O_RDWR)), fresh = MUST(open("fresh", O_RDWR | O_CREAT, 0600));
	int through = MUST(open("dirlink/b", O_RDONLY)), path = MUST(open("link", O_PATH | O_NOFOLLOW));
	printf("%d more\n", count() - before);
	where(a);
	where(d);
	where(big);
	where(fresh);
	where(through);
	where(path);
	MUST(unlink("fresh"));
	where(fresh);
	MUST(rename("dir", "renamed"));
	where(d);
	where(through);
	char name[64], bytes[8];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", a);
	int again = TRY(open(name, O_RDONLY) >= 0 ? 0 : -1);
	(void)again;
	MUST(lseek(a, 6, SEEK_SET));
	snprintf(name, sizeof(name), "/dev/fd/%d", a);
	again = MUST(open(name, O_RDONLY));
	VALUE(read(again, bytes, 5));
	printf("%.5s\n", bytes);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fresh);
	again = MUST(open(name, O_RDWR));
	VALUE(write(again, "deleted", 7));
	VALUE(pread(fresh, bytes, 7, 0));
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", a);
	FILE *info = fopen(name, "r");
	long position = -1;
	if (info == NULL || fscanf(info, "pos: %ld", &position) != 1)
		printf("no fdinfo\n");
	printf("pos %ld\n", position);
	int p[2];
	MUST(pipe(p));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
	MUST(readlink(name, bytes, 5));
	printf("%.5s\n", bytes);
	return 0;
}
