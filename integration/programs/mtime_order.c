/* What make lives on: later writes have later times, and files written now are newer than old ones. */
#include "say.h"

static int newer(const char *a, const char *b)
{
	struct stat one, two;
	MUST(stat(a, &one));
	MUST(stat(b, &two));
	if (one.st_mtim.tv_sec != two.st_mtim.tv_sec)
		return one.st_mtim.tv_sec > two.st_mtim.tv_sec;
	return one.st_mtim.tv_nsec > two.st_mtim.tv_nsec;
}

int main(void)
{
	struct stat st, again;
	struct timespec before, after;
	put("source", "1");
	usleep(20000);
	put("object", "2");
	YES(newer("object", "source"));
	usleep(20000);
	int fd = MUST(open("source", O_WRONLY | O_APPEND));
	MUST(write(fd, "x", 1));
	YES(newer("source", "object"));
	close(fd);
	YES(newer("source", "object"));
	YES(newer("source", "small.txt"));
	MUST(stat("source", &st));
	usleep(20000);
	show("source");
	MUST(stat("source", &again));
	YES(st.st_mtim.tv_nsec == again.st_mtim.tv_nsec);
	clock_gettime(CLOCK_REALTIME, &before);
	usleep(20000);
	put("stamp", "now");
	MUST(stat("stamp", &st));
	usleep(20000);
	clock_gettime(CLOCK_REALTIME, &after);
	YES(st.st_mtim.tv_sec >= before.tv_sec && st.st_mtim.tv_sec <= after.tv_sec);
	MUST(stat("dir", &st));
	usleep(20000);
	put("dir/new", "");
	YES(newer("dir", "stamp"));
	usleep(20000);
	MUST(mkdir("made", 0755));
	YES(newer("made", "dir"));
	usleep(20000);
	MUST(unlink("dir/new"));
	YES(newer("dir", "made"));
	return 0;
}
