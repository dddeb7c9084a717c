/* realpath, canonicalised names, basename games. */
#include "say.h"

static void real(const char *name)
{
	char out[PATH_MAX], cwd[PATH_MAX];
	MUST(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	if (realpath(name, out) == NULL)
		printf("%s => %s\n", name, strerrorname_np(errno));
	else
		printf("%s => %s\n", name, strncmp(out, cwd, strlen(cwd)) == 0 ? out + strlen(cwd) : out);
}

int main(void)
{
	real("small.txt");
	real("chain1");
	real("dirlink/sub/../../link");
	real(".//dir/./sub///deep/../");
	real("dangling");
	real("loop1");
	real("absent/x");
	real("small.txt/");
	real("secret.txt");
	real("/usr/../etc/./passwd");
	real("/");
	real("/..");
	real("/proc/self/cwd/dir");
	real("");
	return system("readlink -f chain1 | sed 's:.*/::'; readlink -m absent/x/y | sed 's:.*/absent:absent:'; "
		      "realpath --relative-to=. dirlink/a; stat -c '%n %F %s' small.txt link dir/sub empty");
}
