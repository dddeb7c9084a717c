/* /proc/self/exe, comm, cmdline, of this process and of children, are the program's own. */
#include <sys/prctl.h>
#include "say.h"

static const char *last(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void link_of(const char *name)
{
	char text[PATH_MAX];
	ssize_t length = readlink(name, text, sizeof(text) - 1);
	text[length < 0 ? 0 : length] = 0;
	printf("%s: %s\n", last(name), length < 0 ? strerrorname_np(errno) : last(text));
}

int main(int argc, char **argv)
{
	char name[64], text[256], exe[PATH_MAX] = "";
	struct stat a, b;
	if (argc > 1) {
		int fd = MUST(open("/proc/self/cmdline", O_RDONLY));
		long length = MUST(read(fd, text, sizeof(text)));
		for (long i = 0; i < length; i++)
			putchar(text[i] ? text[i] : ' ');
		putchar('\n');
		prctl(PR_GET_NAME, text);
		printf("comm %s\n", text);
		return 0;
	}
	link_of("/proc/self/exe");
	snprintf(name, sizeof(name), "/proc/%d/exe", getpid());
	link_of(name);
	MUST(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
	YES(exe[0] == '/');
	MUST(stat("/proc/self/exe", &a));
	MUST(stat(exe, &b));
	YES(same_file(&a, &b));
	int fd = TRY(open("/proc/self/exe", O_RDONLY));
	VALUE(read(fd, text, 4));
	YES(memcmp(text, "\177ELF", 4) == 0);
	show("/proc/self/comm");
	MUST(prctl(PR_SET_NAME, "renamed"));
	show("/proc/self/comm");
	pid_t pid = MUST(fork());
	if (pid == 0) {
		execl("/proc/self/exe", "another-argv0", "with", "arguments", NULL);
		_exit(98);
	}
	show_wait("child", pid);
	pid = MUST(fork());
	if (pid == 0) {
		execl("/bin/sleep", "sleep", "10", NULL);
		_exit(98);
	}
	for (;;) {
		snprintf(name, sizeof(name), "/proc/%d/comm", pid);
		fd = MUST(open(name, O_RDONLY));
		long length = MUST(read(fd, text, sizeof(text)));
		close(fd);
		if (length >= 5 && memcmp(text, "sleep", 5) == 0)
			break;
		usleep(1000);
	}
	snprintf(name, sizeof(name), "/proc/%d/exe", pid);
	link_of(name);
	kill(pid, SIGKILL);
	show_wait("sleep", pid);
	TRY(strcmp(last(argv[0]), last(exe)));
	return 0;
}
