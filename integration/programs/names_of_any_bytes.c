/* A name may hold every byte but the slash and zero: made, listed, linked, renamed, removed. */
#include <dirent.h>
#include "say.h"

int main(void)
{
	struct dirent *entry;
	struct stat st;
	int made = 0, found = 0, right = 0, failed = 0;
	MUST(mkdir("d", 0755));
	for (int c = 1; c < 256; c++) {
		char one[8] = "d/.", two[10] = "d/xx";
		if (c == '/')
			continue;
		if (c != '.') {
			one[2] = c;
			MUST(close(MUST(open(one, O_CREAT | O_EXCL | O_WRONLY, 0644))));
			made++;
		}
		two[2] = two[3] = c;
		if (c == '.')
			two[4] = c;
		MUST(mkdir(two, 0755));
		made++;
	}
	printf("made %d\n", made);
	DIR *stream = opendir("d");
	while ((entry = readdir(stream)) != NULL) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		found++;
		right += fstatat(dirfd(stream), entry->d_name, &st, 0) == 0 &&
			 entry->d_type == (S_ISDIR(st.st_mode) ? DT_DIR : DT_REG) && entry->d_ino == st.st_ino;
	}
	printf("found %d, right %d\n", found, right);
	rewinddir(stream);
	while ((entry = readdir(stream)) != NULL) {
		char longer[300];
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(longer, sizeof(longer), "%s-", entry->d_name);
		if (longer[strlen(entry->d_name) - 1] == '-')
			continue;
		failed += renameat(dirfd(stream), entry->d_name, dirfd(stream), longer) != 0;
	}
	printf("failed %d\n", failed);
	TRY(symlink("\xff\x01 \n\"\\", "odd\tlink\n"));
	char text[20];
	VALUE(readlink("odd\tlink\n", text, 20));
	YES(memcmp(text, "\xff\x01 \n\"\\", 6) == 0);
	return 0;
}
