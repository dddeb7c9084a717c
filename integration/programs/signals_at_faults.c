/* A thousand signals while what is read first comes from far: big files, mappings, names; by handlers that use files themselves, in threads.
 * prepare: huge many
 */
#include <dirent.h>
#include "sig.h"

static volatile int handled, wrong;

/* Asks for things itself; each time another. */
static void asks(int number)
{
	static volatile int turn;
	char name[32], text[8];
	struct stat st;
	int kept = errno, mine = turn++;
	(void)number;
	handled++;
	snprintf(name, sizeof(name), "many/name-%05d", mine * 10 % 5000);
	int fd = open(name, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (got < 2 || atoi(text) != mine * 10 % 5000)
		wrong++;
	close(fd);
	if (stat("nothing here", &st) == 0 || errno != ENOENT)
		wrong++;
	errno = kept;
}

static uint64_t sum_of_mapping(const char *name)
{
	struct stat st;
	int fd = MUST(open(name, O_RDONLY));
	MUST(fstat(fd, &st));
	char *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	uint64_t hash = FNV_START;
	for (off_t i = 0; i < st.st_size; i += 4096)
		hash = fnv(hash, at + i, 16);
	munmap(at, (size_t)st.st_size);
	return hash;
}

static int names_below(const char *directory)
{
	DIR *dir = opendir(directory);
	int count = 0;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void *reads(void *part)
{
	long mine = (long)part;
	char own[1 << 14];
	uint64_t hash = FNV_START;
	int fd = MUST(open("huge.bin", O_RDONLY));
	for (off_t at = (off_t)mine * (4 << 20); at < (off_t)(mine + 1) * (4 << 20); at += (off_t)sizeof(own)) {
		if (pread(fd, own, sizeof(own), at) != (ssize_t)sizeof(own))
			wrong++;
		hash = fnv(hash, own, 64);
	}
	close(fd);
	return (void *)(uintptr_t)hash;
}

static void in_threads(void)
{
	pthread_t threads[4];
	void *hash;
	for (long i = 0; i < 4; i++)
		MUST(-pthread_create(&threads[i], NULL, reads, (void *)i));
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &hash);
		printf("part %d: %lx\n", i, (unsigned long)hash);
	}
}

int main(void)
{
	on(SIGALRM, asks, SA_RESTART);
	alarms(900);
	in_threads();
	printf("big.bin mapped: %lx\n", (unsigned long)sum_of_mapping("big.bin"));
	printf("names: %d\n", names_below("many"));
	printf("big.bin: %lx\n", (unsigned long)file_sum("big.bin"));
	printf("sparse.bin: %lx\n", (unsigned long)file_sum("sparse.bin"));
	while (handled < 200)
		nap(1000);
	alarms(0);
	VALUE(wrong);
	return 0;
}
