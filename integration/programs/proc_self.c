/* More of /proc/self: cwd, root, maps, environ, status, stat, limits, task. */
#include <dirent.h>
#include "say.h"

static int lines_with(const char *file, const char *word)
{
	char line[8192];
	int found = 0;
	FILE *in = fopen(file, "r");
	while (in && fgets(line, sizeof(line), in))
		found += strstr(line, word) != NULL;
	if (in)
		fclose(in);
	return found;
}

int main(int argc, char **argv)
{
	char text[PATH_MAX], cwd[PATH_MAX];
	(void)argc;
	ssize_t length = MUST(readlink("/proc/self/cwd", text, sizeof(text) - 1));
	text[length] = 0;
	MUST(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	YES(strcmp(text, cwd) == 0);
	length = MUST(readlink("/proc/self/root", text, sizeof(text) - 1));
	printf("%.*s\n", (int)length, text);
	show("/proc/self/cwd/small.txt");
	const char *own = strrchr(argv[0], '/') ? strrchr(argv[0], '/') : argv[0];
	YES(lines_with("/proc/self/maps", own) >= 3);
	YES(lines_with("/proc/self/maps", "libc.so.6") >= 3);
	YES(lines_with("/proc/self/maps", "[stack]") == 1);
	YES(lines_with("/proc/self/maps", "[heap]") == 1);
	int fd = MUST(open("big.bin", O_RDONLY));
	YES(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	YES(lines_with("/proc/self/maps", "/big.bin") == 1);
	YES(lines_with("/proc/self/environ", "HPOOL_NOT_SET") == 0);
	YES(lines_with("/proc/self/environ", "PATH=") == 1);
	char want[64];
	snprintf(want, sizeof(want), "Pid:\t%d\n", getpid());
	YES(lines_with("/proc/self/status", want) >= 1);
	snprintf(want, sizeof(want), "Uid:\t%d\t%d", getuid(), geteuid());
	YES(lines_with("/proc/self/status", want) == 1);
	YES(lines_with("/proc/self/status", "Threads:\t1\n") == 1);
	YES(lines_with("/proc/self/limits", "Max open files") == 1);
	YES(lines_with("/proc/cpuinfo", "processor") >= 1);
	YES(lines_with("/proc/meminfo", "MemTotal") == 1);
	YES(lines_with("/proc/self/mountinfo", " / ") >= 1);
	YES(lines_with("/proc/filesystems", "tmpfs") >= 1);
	YES(lines_with("/proc/stat", "cpu") >= 1);
	YES(lines_with("/proc/sys/kernel/pid_max", "") == 1);
	int tasks = 0;
	DIR *dir = opendir("/proc/self/task");
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		tasks += entry->d_name[0] != '.';
	printf("%d\n", tasks);
	TRY(access("/proc/self/mem", R_OK | W_OK));
	return 0;
}
