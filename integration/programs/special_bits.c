/* Sticky and setgid directories, setuid files: the bits stay and do what they do. */
#include "say.h"

static void mode_of(const char *name)
{
	struct stat st;
	MUST(stat(name, &st));
	printf("%s %o own group %s\n", name, st.st_mode, st.st_gid == getgid() ? "yes" : "no");
}

int main(void)
{
	TRY(mkdir("sticky", 0777));
	TRY(chmod("sticky", 01777));
	mode_of("sticky");
	TRY(mkdir("grouped", 0755));
	TRY(chmod("grouped", 02755));
	mode_of("grouped");
	TRY(mkdir("grouped/below", 0755));
	mode_of("grouped/below");
	put("grouped/file", "x");
	mode_of("grouped/file");
	put("prog", "x");
	TRY(chmod("prog", 06755));
	mode_of("prog");
	int fd = MUST(open("prog", O_WRONLY | O_APPEND));
	VALUE(write(fd, "y", 1));
	mode_of("prog");
	TRY(chmod("prog", 01644));
	mode_of("prog");
	return 0;
}
