/* Thousands of directories, one after the other: each is used, left empty and removed; a file goes through each and back.
 * timeout: 180
 */
#include "say.h"

#define ROUNDS 3000

static long failed;

#define EXPECT(condition) \
	do { \
		if (!(condition) && failed++ < 5) \
			printf("round %d: %s: %s\n", round, #condition, strerrorname_np(errno)); \
	} while (0)

int main(void)
{
	struct stat status;

	MUST(mkdir("stays", 0755));
	put("stays/file", "text");
	for (int round = 0; round < ROUNDS; round++) {
		EXPECT(mkdir("passes", 0755) == 0);
		EXPECT(stat("passes/absent", &status) < 0 && errno == ENOENT);
		if (round % 3 == 0) {
			EXPECT(rename("stays/file", "passes/moved") == 0);
			EXPECT(link("passes/moved", "stays/file") == 0);
			EXPECT(stat("stays/file", &status) == 0 && status.st_nlink == 2);
			EXPECT(unlink("passes/moved") == 0);
		}
		EXPECT(rmdir("passes") == 0);
		EXPECT(stat("passes", &status) < 0 && errno == ENOENT);
	}
	printf("failed: %ld\n", failed);
	show("stays/file");
	return 0;
}
