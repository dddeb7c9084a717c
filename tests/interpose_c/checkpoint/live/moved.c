/* Memory that is moved away and back beside other memory, without pause: the kernel joins it with its neighbours
 * again, and drops whose it was of all of them. What each page should hold is known.
 *
 * Usage: moved FILE: ends when that is there. */
#include "../programs/again.h"
#include <sys/mman.h>

#define PAGE 4096ul
#define PAGES 4096ul /* each third of it */
#define BYTES (PAGES * PAGE)

static unsigned long stamps[3 * PAGES], random_state = 88172645463325252ul;

static unsigned long chance(unsigned long below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

static void move(unsigned char *from, unsigned char *to)
{
	CHECK(mremap(from, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
}

int main(int argc, char **argv)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned char *all = mmap(NULL, 3 * BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
	unsigned char *elsewhere = mmap(NULL, 3 * BYTES, PROT_NONE, flags, -1, 0);
	CHECK(argc == 2 && all != MAP_FAILED && elsewhere != MAP_FAILED);
	for (unsigned long n = 0; n < 3 * PAGES; n++)
		*(unsigned long *)(all + n * PAGE) = stamps[n] = n;
	printf("ready\n");
	fflush(stdout);
	for (unsigned long round = 1; access(argv[1], F_OK); round++) {
		if (round % 8 == 0) {
			move(all + BYTES, elsewhere + BYTES);
			usleep((useconds_t)chance(5000));
			move(elsewhere + BYTES, all + BYTES);
		}
		for (unsigned k = 0; k < 64; k++) {
			unsigned long n = chance(3 * PAGES), *word = (unsigned long *)(all + n * PAGE);
			CHECK(*word == stamps[n]);
			*word = ++stamps[n];
		}
		usleep(200);
	}
	for (unsigned long n = 0; n < 3 * PAGES; n++)
		CHECK(*(unsigned long *)(all + n * PAGE) == stamps[n]);
	return done();
}
