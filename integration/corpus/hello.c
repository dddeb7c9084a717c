/* Another libc, dynamic and static. */
#include <stdio.h>

int main(void)
{
	char line[99];
	FILE *file = fopen("small.txt", "r");
	while (file && fgets(line, sizeof(line), file))
		fputs(line, stdout);
	file = fopen("made", "w");
	fputs("by musl\n", file);
	return fclose(file);
}
