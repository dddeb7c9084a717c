/* glob, wordexp by the shell, fnmatch over listings, scandir. */
#include <glob.h>
#include "say.h"

static void all(const char *pattern, int flags)
{
	glob_t found;
	int result = glob(pattern, flags, NULL, &found);
	printf("%s (%d):", pattern, result);
	for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
		printf(" %s", found.gl_pathv[i]);
	printf("\n");
	if (result == 0)
		globfree(&found);
}

int main(void)
{
	all("*.txt", 0);
	all("dir/*", 0);
	all("*/*/*/leaf*", 0);
	all("dirlink/[ab]", 0);
	all("nothing*", 0);
	all("s*", GLOB_MARK);
	all("{small,lines}.txt", GLOB_BRACE);
	all("d*", GLOB_ONLYDIR);
	return system("echo *.bin dir/* d*/sub; ls -1 | wc -l; for f in [a-e]*; do echo \"$f\"; done");
}
