/* Whatever is changed after something that was looked at is not older; the same file's times move with each change. */
#include "say.h"

static long long latest;
static int others_back, own_still;

static long long ns(struct timespec time)
{
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

/* The file has just been changed: nothing changed before may be younger. */
static void changed(const char *name, long long before, int modified)
{
	struct stat st;
	MUST(stat(name, &st));
	long long now = modified ? ns(st.st_mtim) : ns(st.st_ctim);
	others_back += now < latest;
	own_still += ns(st.st_ctim) <= before;
	latest = now > latest ? now : latest;
}

static long long ctime_of(const char *name)
{
	struct stat st;
	return stat(name, &st) ? 0 : ns(st.st_ctim);
}

static void write_to(const char *name, int flags)
{
	int fd = MUST(open(name, O_WRONLY | flags, 0644));
	MUST(write(fd, "text", 4));
	close(fd);
}

int main(void)
{
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	for (int round = 0; round < 100; round++) {
		char name[32], other[32];
		snprintf(name, sizeof name, "made%d", round % 10);
		snprintf(other, sizeof other, "other%d", round % 7);
		long long before = ctime_of(name);
		write_to(name, O_CREAT | O_TRUNC);
		changed(name, before, 1);
		before = ctime_of(name);
		MUST(chmod(name, round & 1 ? 0600 : 0644));
		changed(name, before, 0);
		before = ctime_of(other);
		write_to(other, O_CREAT);
		changed(other, before, 1);
		before = ctime_of(name);
		MUST(utimensat(AT_FDCWD, name, now, 0));
		changed(name, before, 1);
		before = ctime_of(name);
		write_to(name, O_APPEND);
		changed(name, before, 1);
		MUST(link(name, "moved"));
		changed("moved", 0, 0);
		MUST(rename("moved", "again"));
		changed("again", 0, 0);
		MUST(unlink("again"));
		before = ctime_of(name);
		MUST(chown(name, getuid(), (gid_t)-1));
		changed(name, before, 0);
	}
	printf("%d %d\n", others_back, own_still);
	return 0;
}
