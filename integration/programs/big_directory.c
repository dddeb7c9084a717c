/* A directory of 5,000 names: listed once each, found, missed, emptied.
 * prepare: many
 * timeout: 120
 */
#include <dirent.h>
#include "say.h"

int main(void)
{
	char name[64];
	static char seen[5000];
	int extra = 0, number, missing = 0, sizes = 0;
	DIR *dir = opendir("many");
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		if (sscanf(entry->d_name, "name-%d", &number) == 1 && number >= 0 && number < 5000)
			seen[number]++;
		else
			extra++;
	}
	closedir(dir);
	for (number = 0; number < 5000; number++)
		missing += seen[number] != 1;
	printf("missing or twice %d, extra %d\n", missing, extra);
	for (number = 0; number < 5000; number++) {
		struct stat st;
		snprintf(name, sizeof(name), "many/name-%05d", number);
		MUST(stat(name, &st));
		sizes += st.st_size;
	}
	printf("bytes in all %d\n", sizes);
	int absent = 0;
	for (number = 0; number < 2000; number++) {
		snprintf(name, sizeof(name), "many/none-%05d", number);
		absent += access(name, F_OK) != 0 && errno == ENOENT;
	}
	printf("absent %d\n", absent);
	show("many/name-01230");
	int removed = 0;
	for (number = 0; number < 5000; number += 7) {
		snprintf(name, sizeof(name), "many/name-%05d", number);
		removed += unlink(name) == 0;
	}
	printf("removed %d\n", removed);
	int left = 0;
	dir = opendir("many");
	while (readdir(dir))
		left++;
	closedir(dir);
	printf("left %d\n", left);
	TRY(rmdir("many"));
	return 0;
}
