/* Touching a map past the end of its file is SIGBUS; the tail of the last page is zeros. */
#include <setjmp.h>
#include "say.h"

static sigjmp_buf back;

static void caught(int number, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	siglongjmp(back, number);
}

static const char *touch(volatile char *at)
{
	int number = sigsetjmp(back, 1);
	if (number)
		return sigabbrev_np(number);
	static char seen[8];
	snprintf(seen, sizeof(seen), "%d", *at);
	return seen;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO };
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	int fd = MUST(open("small.txt", O_RDWR));
	char *map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	printf("%s\n", touch(map));
	printf("%s\n", touch(map + 4095));
	printf("%s\n", touch(map + 4096));
	MUST(ftruncate(fd, 5000));
	printf("%s\n", touch(map + 4096));
	MUST(ftruncate(fd, 10));
	printf("%s\n", touch(map + 4096));
	printf("%s\n", touch(map + 12));
	munmap(map, 3 * 4096);
	printf("%s\n", touch(map));
	int big = MUST(open("big.bin", O_RDONLY));
	map = mmap(NULL, 8 << 20, PROT_READ, MAP_PRIVATE, big, 0);
	printf("%s\n", touch(map + (3 << 20) + 100));
	printf("%s\n", touch(map + (4 << 20)));
	return 0;
}
