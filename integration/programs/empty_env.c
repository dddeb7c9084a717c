/* Children whose environment was emptied, or whose argv is bare, are still at home. */
#include "say.h"

extern char **environ;

int main(int argc, char **argv)
{
	if (argc > 1) {
		int count = 0;
		for (char **at = environ; at && *at; at++)
			count++;
		printf("%s: %d variables\n", argv[1], count);
		show("small.txt");
		return 0;
	}
	char *empty[] = { NULL }, *args[] = { argv[0], "emptied", NULL }, *one[] = { "ONLY=this", NULL };
	pid_t pid = MUST(fork());
	if (pid == 0) {
		execve("/proc/self/exe", args, empty);
		_exit(98);
	}
	show_wait("empty", pid);
	args[1] = "one";
	pid = MUST(fork());
	if (pid == 0) {
		execve("/proc/self/exe", args, one);
		_exit(98);
	}
	show_wait("one", pid);
	args[1] = "null";
	pid = MUST(fork());
	if (pid == 0) {
		execve("/proc/self/exe", args, NULL);
		_exit(98);
	}
	show_wait("null", pid);
	MUST(clearenv());
	return system("/usr/bin/env -i /bin/sh -c '/bin/cat small.txt; exit 4'") >> 8;
}
