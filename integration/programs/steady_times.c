/* Times and size of a file stay what they are while its content is being read, by another thread and ahead of it.
 * prepare: huge
 * timeout: 120
 */
#include "say.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

static atomic_bool over;

static void *reads(void *name)
{
	static char room[256 << 10];
	int fd = open(name, O_RDONLY);

	while (read(fd, room, sizeof room) > 0)
		;
	close(fd);
	atomic_store(&over, true);
	return NULL;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
	       a->st_size == b->st_size;
}

int main(void)
{
	long by_name = 0, by_descriptor = 0, by_statx = 0;
	struct stat first, now;
	struct statx more;
	pthread_t reader;
	int fd = MUST(open("huge.bin", O_PATH));

	MUST(stat("huge.bin", &first));
	pthread_create(&reader, NULL, reads, "huge.bin");
	while (!atomic_load(&over)) {
		MUST(stat("huge.bin", &now));
		by_name += !same(&first, &now);
		MUST(fstat(fd, &now));
		by_descriptor += !same(&first, &now);
		MUST(statx(AT_FDCWD, "huge.bin", 0, STATX_BASIC_STATS, &more));
		by_statx += more.stx_mtime.tv_sec != first.st_mtim.tv_sec ||
			    more.stx_mtime.tv_nsec != first.st_mtim.tv_nsec;
	}
	pthread_join(reader, NULL);
	printf("by name: %s\n", by_name ? "not always" : "always the same");
	printf("by descriptor: %s\n", by_descriptor ? "not always" : "always the same");
	printf("by statx: %s\n", by_statx ? "not always" : "always the same");
	return 0;
}
