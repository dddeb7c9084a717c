/* rewinddir sees what is new; telldir and seekdir come back to the same entry. */
#include <dirent.h>
#include "say.h"

static int rest(DIR *dir)
{
	int count = 0;
	while (readdir(dir))
		count++;
	return count;
}

int main(void)
{
	char fourth[256];
	DIR *dir = opendir("dir");
	printf("%d\n", rest(dir));
	rewinddir(dir);
	printf("%d\n", rest(dir));
	put("dir/fresh", "x");
	MUST(unlink("dir/a"));
	MUST(mkdir("dir/freshdir", 0755));
	printf("%d\n", rest(dir));
	rewinddir(dir);
	printf("%d\n", rest(dir));
	rewinddir(dir);
	for (int i = 0; i < 3; i++)
		readdir(dir);
	long here = telldir(dir);
	strcpy(fourth, readdir(dir)->d_name);
	int left = rest(dir);
	seekdir(dir, here);
	YES(strcmp(readdir(dir)->d_name, fourth) == 0);
	YES(rest(dir) == left);
	struct dirent **list;
	int count = scandir("dir", &list, NULL, alphasort);
	for (int i = 0; i < count; i++)
		printf("%s %d\n", list[i]->d_name, list[i]->d_type);
	DIR *two = fdopendir(open("dir/sub", O_RDONLY | O_DIRECTORY));
	printf("%d\n", rest(two));
	YES(opendir("small.txt") == NULL && errno == ENOTDIR);
	YES(opendir("absent") == NULL && errno == ENOENT);
	return 0;
}
