/* Needs a library of its own. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int plus(int number);

int main(int argc, char **argv)
{
	(void)argc;
	printf("%s %d %d\n", strrchr(argv[0], '/') + 1, plus(1), getpid() == 4242);
	return 0;
}
