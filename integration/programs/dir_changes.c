/* A directory read while it changes: what was there all the time is seen exactly once. */
#include <dirent.h>
#include "say.h"

static int count_prefix(const char *prefix)
{
	int count = 0;
	DIR *dir = opendir("work");
	for (struct dirent *entry; (entry = readdir(dir));)
		count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(dir);
	return count;
}

int main(void)
{
	char name[64];
	MUST(mkdir("work", 0755));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "work/stay%03d", i);
		put(name, "");
	}
	int seen = 0;
	DIR *dir = opendir("work");
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strncmp(entry->d_name, "stay", 4) != 0)
			continue;
		seen++;
		snprintf(name, sizeof(name), "work/new%03d", seen);
		put(name, "");
		if (seen % 2 == 0) {
			snprintf(name, sizeof(name), "work/new%03d", seen - 1);
			MUST(unlink(name));
		}
	}
	closedir(dir);
	printf("seen %d\n", seen);
	printf("stay %d new %d\n", count_prefix("stay"), count_prefix("new"));
	int removed = 0;
	dir = opendir("work");
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "work/%.50s", entry->d_name);
		removed += unlink(name) == 0;
	}
	closedir(dir);
	printf("removed %d\n", removed);
	TRY(rmdir("work"));
	return 0;
}
