/* The environment and the arguments arrive as they were given.
 * args: one "two words" '' "tab	inside" é --help -t
 * env: HPOOL_TEST=a value with spaces
 * env: EMPTY=
 * env: LINES_=first\nsecond
 */
#include "say.h"

extern char **environ;

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		printf("[%s]\n", argv[i]);
	const char *names[] = { "HPOOL_TEST", "EMPTY",      "LINES_", "HOME",           "PATH",
				"LANG",       "LD_PRELOAD", "HPOOL",  "LD_LIBRARY_PATH" };
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		printf("%s=%s\n", names[i], getenv(names[i]) ? getenv(names[i]) : "(unset)");
	int count = 0;
	for (char **at = environ; *at; at++)
		count++;
	printf("%d variables\n", count);
	setenv("CHANGED", "by the program", 1);
	return system("echo \"$CHANGED|$HPOOL_TEST\"; env | wc -l");
}
