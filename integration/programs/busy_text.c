/* ETXTBSY: a program that runs cannot be written, one that is open for writing cannot run. */
#include "say.h"

int main(int argc, char **argv)
{
	char byte;
	if (argc > 1) {
		MUST(write(1, "runs\n", 5));
		MUST(read(0, &byte, 1));
		return 0;
	}
	MUST(system("cp /proc/self/exe /dev/null"));
	char command[PATH_MAX + 40];
	snprintf(command, sizeof(command), "cp '%s' program && chmod 755 program", argv[0]);
	MUST(system(command));
	int ends[2], out[2];
	MUST(pipe(ends));
	MUST(pipe(out));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		dup2(ends[0], 0);
		dup2(out[1], 1);
		close(ends[1]);
		execl("./program", "program", "child", NULL);
		_exit(98);
	}
	MUST(read(out[0], &byte, 1));
	TRY(open("program", O_WRONLY));
	TRY(open("program", O_RDWR));
	TRY(open("program", O_RDONLY | O_TRUNC));
	TRY(truncate("program", 0));
	TRY(open("program", O_RDONLY));
	TRY(rename("program", "renamed"));
	TRY(chmod("renamed", 0700));
	TRY(unlink("renamed"));
	MUST(write(ends[1], "x", 1));
	show_wait("program", pid);
	MUST(system(command));
	int fd = MUST(open("program", O_WRONLY));
	pid = MUST(fork());
	if (pid == 0) {
		execl("./program", "program", "child", NULL);
		printf("exec: %s\n", strerrorname_np(errno));
		_exit(1);
	}
	show_wait("while it is written", pid);
	close(fd);
	return 0;
}
