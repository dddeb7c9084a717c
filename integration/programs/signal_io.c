/* A storm of timer signals during file input and output changes nothing in it. */
#include <sys/time.h>
#include "say.h"

static volatile sig_atomic_t ticks;

static void tick(int number)
{
	(void)number;
	ticks++;
}

int main(void)
{
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	static char block[10000], back[10000];
	sigaction(SIGALRM, &action, NULL);
	MUST(setitimer(ITIMER_REAL, &often, NULL));
	int out = MUST(open("stormy", O_RDWR | O_CREAT, 0644)), bad = 0;
	for (int i = 0; i < 200; i++) {
		memset(block, i, sizeof(block));
		bad += write(out, block, sizeof(block)) != (ssize_t)sizeof(block);
	}
	for (int i = 0; i < 200; i++) {
		bad += pread(out, back, sizeof(back), (long)i * sizeof(back)) != (ssize_t)sizeof(back);
		memset(block, i, sizeof(block));
		bad += memcmp(block, back, sizeof(back)) != 0;
	}
	printf("%016lx\n", file_sum("big.bin"));
	for (int i = 0; i < 200; i++) {
		char name[32];
		struct stat st;
		snprintf(name, sizeof(name), "dir/s%d", i);
		put(name, "x");
		bad += stat(name, &st) != 0 || st.st_size != 1;
		bad += unlink(name) != 0;
	}
	while (ticks < 20)
		bad += stat("small.txt", &(struct stat){ 0 }) != 0;
	MUST(setitimer(ITIMER_REAL, &never, NULL));
	printf("bad %d, enough ticks %s\n", bad, ticks >= 20 ? "yes" : "no");
	return 0;
}
