/* A chain of execs in one process: pid, arguments, environment and descriptors go along. */
#include "say.h"

int main(int argc, char **argv)
{
	int step = argc > 1 ? atoi(argv[1]) : 0;
	char next[16], pid[16], *end = getenv("STEPS");
	if (step == 0) {
		snprintf(pid, sizeof(pid), "%d", getpid());
		setenv("FIRST", pid, 1);
		setenv("STEPS", "", 1);
		MUST(dup2(MUST(open("trail", O_WRONLY | O_CREAT | O_TRUNC, 0644)), 9));
	} else {
		YES(atoi(getenv("FIRST")) == getpid());
		char steps[64];
		snprintf(steps, sizeof(steps), "%s%d", end, step);
		setenv("STEPS", steps, 1);
	}
	dprintf(9, "step %d as %s\n", step, step ? argv[0] : "first");
	if (step == 5) {
		show("trail");
		printf("%s\n", getenv("STEPS"));
		TRY(execl("absent", "x", NULL));
		TRY(execl("dir", "x", NULL));
		TRY(execl("notexec.sh", "x", NULL));
		TRY(execl("small.txt/x", "x", NULL));
		TRY(execl("loop1", "x", NULL));
		TRY(chmod("small.txt", 0755));
		TRY(execl("small.txt", "x", NULL));
		TRY(execl("empty", "x", NULL));
		return execl("/bin/sh", "sh", "-c", "exit 9", NULL);
	}
	snprintf(next, sizeof(next), "%d", step + 1);
	fflush(stdout);
	char name[] = "name0";
	name[4] += step;
	MUST(execl("/proc/self/exe", name, next, NULL));
	return 1;
}
