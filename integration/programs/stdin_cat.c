/* Standard input goes through to the program and its children, with its end.
 * stdin: first line\nsecond line\nthird line without an end
 */
#include "say.h"

int main(void)
{
	char line[100];
	MUST(setvbuf(stdin, NULL, _IONBF, 0));
	printf("%s", fgets(line, sizeof(line), stdin));
	fflush(stdout);
	if (system("read line; echo \"shell: $line\"") != 0)
		return 1;
	long got = read(0, line, sizeof(line));
	printf("%ld %.*s\n", got, (int)got, line);
	VALUE(read(0, line, sizeof(line)));
	VALUE(read(0, line, sizeof(line)));
	TRY(isatty(0) ? 0 : -1);
	return 0;
}
