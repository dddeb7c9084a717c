/* A directory is read while names in it come and go: what stays is seen exactly once. */
#include <dirent.h>
#include "say.h"

#define COUNT 500

static int times_seen[COUNT];

static void note(const struct dirent *entry)
{
	int number;
	if (sscanf(entry->d_name, "stay%d", &number) == 1)
		times_seen[number]++;
}

int main(void)
{
	char name[64];
	struct dirent *entry;
	MUST(mkdir("d", 0755));
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "d/stay%d", i);
		put(name, "");
		snprintf(name, sizeof(name), "d/go%d", i);
		put(name, "");
	}
	DIR *stream = opendir("d");
	for (int i = 0; (entry = readdir(stream)) != NULL; i++) {
		note(entry);
		if (i < COUNT) {
			snprintf(name, sizeof(name), "d/go%d", i);
			unlink(name);
			snprintf(name, sizeof(name), "d/new%d", i);
			put(name, "");
		}
	}
	int once = 0, other = 0, left = 0;
	for (int i = 0; i < COUNT; i++)
		*(times_seen[i] == 1 ? &once : &other) += 1;
	printf("once %d, not once %d\n", once, other);
	rewinddir(stream);
	while ((entry = readdir(stream)) != NULL)
		left += entry->d_name[0] != '.';
	printf("after rewinding %d\n", left);
	rewinddir(stream);
	while ((entry = readdir(stream)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(stream), entry->d_name, 0);
	rewinddir(stream);
	left = 0;
	while ((entry = readdir(stream)) != NULL)
		left++;
	printf("emptied while read: %d left\n", left);
	TRY(rmdir("d"));
	rewinddir(stream);
	errno = 0;
	entry = readdir(stream);
	printf("of a removed one: %s %s\n", entry ? "an entry" : "none", errno ? strerrorname_np(errno) : "ok");
	stream = opendir("tree");
	long start = telldir(stream);
	char first[256];
	strcpy(first, readdir(stream)->d_name);
	while (readdir(stream))
		;
	seekdir(stream, start);
	YES(strcmp(first, readdir(stream)->d_name) == 0);
	return 0;
}
