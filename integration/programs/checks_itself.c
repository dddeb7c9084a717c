/* A program that checks its own code and that of its libraries, before and after many calls.
 * fronts: trace
 */
#include "say.h"

static unsigned long text_sum(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], rights[8];
	unsigned long sum = 0, start, end, inode;
	while (fgets(line, sizeof line, maps)) {
		if (sscanf(line, "%lx-%lx %7s %*s %*s %lu", &start, &end, rights, &inode) != 4)
			continue;
		/* the program's, libc's, ld.so's, and what belongs to no file */
		if (rights[0] != 'r' || rights[2] != 'x' || strstr(line, "hpool") || strstr(line, "vsyscall"))
			continue;
		for (const unsigned char *at = (void *)start; at < (unsigned char *)end; at++)
			sum = sum * 31 + *at;
	}
	fclose(maps);
	return sum;
}

int main(void)
{
	struct stat st;
	unsigned long before = text_sum();
	int good = 0;
	for (int i = 0; i < 50; i++) {
		good += stat("small.txt", &st) == 0;
		int fd = open("small.txt", O_RDONLY);
		good += close(fd) == 0;
		good += getppid() > 0;
	}
	printf("%d calls, code %s\n", good, text_sum() == before ? "as it was" : "CHANGED");
	return 0;
}
