/* Directories of scratch in the midst of being read: every name is read once, those removed before never. */
#include "again.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define NAMES 2000
#define READ_BEFORE 10

static char seen[NAMES];

/* How many bytes of entries; 0 at the end. */
static long read_some(int directory)
{
	_Alignas(8) char room[1024];
	long got = syscall(SYS_getdents64, directory, room, sizeof room);
	CHECK(got >= 0);
	for (long at = 0; at < got; at += *(unsigned short *)(room + at + 16)) {
		const char *name = room + at + 19;
		if (name[0] != '.')
			CHECK(seen[atoi(name)]++ == 0);
	}
	return got;
}

int main(void)
{
	char name[40];
	CHECK(mkdir("/tmp/many", 0700) == 0 && chdir("/tmp/many") == 0);
	for (int n = 0; n < NAMES; n++) {
		snprintf(name, sizeof name, "%d", n);
		CHECK(close(open(name, O_CREAT | O_WRONLY, 0600)) == 0);
	}
	for (int n = 0; n < NAMES; n += 3) {
		snprintf(name, sizeof name, "%d", n);
		CHECK(unlink(name) == 0);
	}
	int directory = open(".", O_RDONLY | O_DIRECTORY), ended = open(".", O_RDONLY | O_DIRECTORY);
	while (read_some(ended) > 0)
		;
	memset(seen, 0, sizeof seen);
	for (int n = 0; n < READ_BEFORE; n++)
		CHECK(read_some(directory) > 0);
	linger();
	while (read_some(directory) > 0)
		;
	for (int n = 0; n < NAMES; n++)
		CHECK(seen[n] == (n % 3 != 0));
	CHECK(read_some(ended) == 0);
	return done();
}
