/* Long arguments and environments pass; too long ones are E2BIG. */
#include "say.h"

extern char **environ;

int main(int argc, char **argv)
{
	if (argc > 1) {
		long total = 0;
		for (int i = 0; i < argc; i++)
			total += strlen(argv[i]) + 1;
		printf("%d arguments, %ld bytes\n", argc - 1, total - (long)strlen(argv[0]));
		return 0;
	}
	static char word[131072 + 10];
	static char *list[3000];
	memset(word, 'w', sizeof(word) - 1);
	word[100] = 0;
	list[0] = argv[0];
	for (int i = 1; i < 2900; i++)
		list[i] = word;
	pid_t pid = MUST(fork());
	if (pid == 0) {
		execv("/proc/self/exe", list);
		_exit(98);
	}
	show_wait("many", pid);
	word[100] = 'w';
	word[100000] = 0;
	for (int i = 1; i < 3000; i++)
		list[i] = i < 10 ? word : NULL;
	pid = MUST(fork());
	if (pid == 0) {
		execv("/proc/self/exe", list);
		_exit(98);
	}
	show_wait("long", pid);
	word[100000] = 'w';
	list[2] = NULL;
	TRY(execv("/proc/self/exe", list));
	word[130000] = 0;
	for (int i = 1; i < 2999; i++)
		list[i] = word;
	TRY(execv("/proc/self/exe", list));
	return 0;
}
