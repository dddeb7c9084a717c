/* Two processes append to one file: no line is lost, none is torn. */
#include "say.h"

int main(void)
{
	for (int child = 0; child < 2; child++) {
		if (MUST(fork()) != 0)
			continue;
		int fd = MUST(open("log", O_WRONLY | O_APPEND | O_CREAT, 0644));
		for (int i = 0; i < 500; i++) {
			char line[40];
			int length = snprintf(line, sizeof(line), "child %d line %03d\n", child, i);
			if (write(fd, line, length) != length)
				_exit(1);
		}
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	int next[2] = { 0, 0 }, bad = 0;
	char line[100];
	FILE *log = fopen("log", "r");
	while (fgets(line, sizeof(line), log)) {
		int child, i;
		if (sscanf(line, "child %d line %d", &child, &i) != 2 || child < 0 || child > 1 || next[child]++ != i)
			bad++;
	}
	printf("%d %d bad %d\n", next[0], next[1], bad);
	fclose(log);
	unlink("log");
	return 0;
}
