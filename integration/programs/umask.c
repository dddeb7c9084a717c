/* The umask is inherited by children, across exec, and kept apart per process. */
#include "say.h"

static void made(const char *name)
{
	struct stat st;
	close(MUST(open(name, O_CREAT | O_WRONLY, 0666)));
	MUST(stat(name, &st));
	printf("%s %o\n", name, st.st_mode & 07777);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		made("by_exec");
		return 0;
	}
	printf("from outside %o\n", umask(0));
	made("zero");
	umask(0037);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		made("by_child");
		umask(0777);
		exit(0);
	}
	show_wait("child", pid);
	made("by_parent");
	pid = MUST(fork());
	if (pid == 0) {
		execl("/proc/self/exe", argv[0], "x", NULL);
		exit(98);
	}
	show_wait("exec", pid);
	printf("%o\n", umask(022));
	return system("umask; echo text > by_shell; ls -l by_shell | cut -c1-10") != 0;
}
