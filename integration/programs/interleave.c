/* Standard output and error: each keeps its order and all its bytes. */
#include "say.h"

int main(void)
{
	for (int i = 0; i < 200; i++) {
		fprintf(stdout, "out %d\n", i);
		fprintf(stderr, "err %d\n", i);
	}
	pid_t pid = MUST(fork());
	if (pid == 0) {
		write(2, "child err\n", 10);
		write(1, "child out\n", 10);
		_exit(0);
	}
	show_wait("child", pid);
	for (int i = 0; i < 3000; i++)
		printf("%060d\n", i);
	write(1, "\0\377binary\n", 9);
	return system("echo shell; echo shell err >&2");
}
