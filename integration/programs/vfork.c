/* vfork: the child runs first, in the parent's memory, then execs or exits. */
#include "say.h"

static volatile int seen;

int main(int argc, char **argv)
{
	if (argc > 1) {
		printf("exec'ed with %s\n", argv[1]);
		return 5;
	}
	pid_t pid = vfork();
	if (pid == 0) {
		seen = 1;
		_exit(3);
	}
	printf("seen %d\n", seen);
	show_wait("child", pid);
	pid = vfork();
	if (pid == 0) {
		execl("/proc/self/exe", argv[0], "vfork", NULL);
		_exit(98);
	}
	show_wait("exec", pid);
	pid = vfork();
	if (pid == 0) {
		execl("./absent", "absent", NULL);
		_exit(errno == ENOENT ? 44 : 45);
	}
	show_wait("absent", pid);
	int fd = MUST(open("out", O_WRONLY | O_CREAT, 0644));
	for (volatile int i = 0; i < 20; i++) {
		pid = vfork();
		if (pid == 0) {
			dup2(fd, 1);
			execl("/bin/echo", "echo", "line", NULL);
			_exit(98);
		}
		waitpid(pid, NULL, 0);
	}
	VALUE(lseek(fd, 0, SEEK_CUR));
	return 0;
}
