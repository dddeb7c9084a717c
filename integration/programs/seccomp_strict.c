/* Strict seccomp: read, write and exit go on, another call is the end; by prctl and by seccomp. */
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "say.h"

#define STRICT 1
#define SET_MODE_STRICT 0

static void confined(int way)
{
	int fd = open("small.txt", O_RDONLY);
	char text[64];
	long failed = way == 0 ? prctl(PR_SET_SECCOMP, STRICT) : syscall(SYS_seccomp, SET_MODE_STRICT, 0, NULL);
	if (failed)
		_exit(90);
	ssize_t got = read(fd, text, sizeof text);
	write(1, text, (size_t)got);
	if (way == 2)
		close(fd);
	write(1, "out\n", 4);
	syscall(SYS_exit, 5);
}

int main(void)
{
	for (int way = 0; way < 3; way++) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0)
			confined(way);
		show_wait("confined", pid);
	}
	errno = 0;
	printf("%ld %s\n", syscall(SYS_seccomp, SET_MODE_STRICT, 1, NULL), strerror(errno));
	return 0;
}
