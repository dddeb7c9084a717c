/* The exit code is the program's own, all eight bits of it.
 * args: 213
 */
#include "say.h"

int main(int argc, char **argv)
{
	(void)argc;
	for (int code = 0; code < 260; code += 37) {
		pid_t pid = MUST(fork());
		if (pid == 0)
			_exit(code);
		show_wait("child", pid);
	}
	return atoi(argv[1]);
}
