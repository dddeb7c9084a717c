/* ctime moves with every change of a file's attributes, content or names; mtime only with content. */
#include "say.h"

static struct timespec last;

static void changed(const char *what, const char *name)
{
	struct stat st;
	MUST(stat(name, &st));
	int moved = st.st_ctim.tv_sec != last.tv_sec || st.st_ctim.tv_nsec != last.tv_nsec;
	printf("%s: ctime %s, mtime old %s\n", what, moved ? "moved" : "stayed",
	       st.st_mtim.tv_sec == 1577934245 ? "yes" : "no");
	last = st.st_ctim;
	usleep(20000);
}

int main(void)
{
	changed("start", "small.txt");
	MUST(close(MUST(open("small.txt", O_RDONLY))));
	changed("open", "small.txt");
	MUST(chmod("small.txt", 0600));
	changed("chmod", "small.txt");
	MUST(link("small.txt", "other"));
	changed("link", "small.txt");
	MUST(rename("other", "other2"));
	changed("rename", "small.txt");
	MUST(unlink("other2"));
	changed("unlink", "small.txt");
	int fd = MUST(open("small.txt", O_WRONLY | O_APPEND));
	MUST(write(fd, "x", 1));
	MUST(close(fd));
	changed("write", "small.txt");
	MUST(truncate("lines.txt", 3));
	changed("truncate another", "small.txt");
	return 0;
}
