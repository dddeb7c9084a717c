/* A tree that forks, executes and ends without pause. */
#include "again.h"
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	long sum = 0;
	if (argc > 1)
		return atoi(argv[1]) % 100;
	printf("ready\n");
	fflush(stdout);
	for (int round = 0; round < 700; round++) {
		pid_t children[4];
		int status;
		char number[16];
		char *words[] = { argv[0], number, NULL };
		snprintf(number, sizeof number, "%d", round);
		for (int n = 0; n < 3; n++)
			if ((children[n] = fork()) == 0)
				_exit((round + n) % 100);
		CHECK(posix_spawn(&children[3], "/proc/self/exe", NULL, NULL, words, environ) == 0);
		for (int n = 0; n < 4; n++) {
			CHECK(waitpid(children[n], &status, 0) == children[n] && WIFEXITED(status));
			CHECK(WEXITSTATUS(status) == (round + (n < 3 ? n : 0)) % 100);
			sum += WEXITSTATUS(status);
		}
	}
	printf("%ld\n", sum);
	return done();
}
