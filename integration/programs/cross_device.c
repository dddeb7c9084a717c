/* Between home and the job's scratch: rename and link are EXDEV, mv copies. */
#include "say.h"

int main(void)
{
	char directory[] = "/tmp/cross-XXXXXX", name[64];
	MUST(mkdtemp(directory) ? 0 : -1);
	snprintf(name, sizeof(name), "%s/file", directory);
	struct stat home, scratch;
	MUST(stat(".", &home));
	MUST(stat(directory, &scratch));
	if (home.st_dev == scratch.st_dev)
		printf("one device\n");
	TRY(rename("small.txt", name));
	TRY(link("small.txt", name));
	char command[200];
	snprintf(command, sizeof(command), "mv small.txt lines.txt %s && mv %s/lines.txt back.txt && ls %s && rm -r %s",
		 directory, directory, directory, directory);
	printf("%d\n", system(command));
	show("small.txt");
	printf("%016lx\n", file_sum("back.txt"));
	return 0;
}
