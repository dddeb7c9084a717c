/* A program that writes %gs by instruction and never says so to the kernel: in threads, handlers, over calls of all kinds. */
#include <sys/auxv.h>
#include "sig.h"

#define FSGSBASE 2

static unsigned long base(void)
{
	unsigned long value;
	__asm__ volatile("rdgsbase %0" : "=r"(value));
	return value;
}

static void write_base(const void *to)
{
	__asm__ volatile("wrgsbase %0" : : "r"(to) : "memory");
}

static volatile int wrong;
static unsigned long places[8];

static void caught(int number)
{
	struct stat st;
	unsigned long mine = base();
	(void)number;
	write_base(&places[7]);
	wrong += stat("small.txt", &st) != 0 || base() != (unsigned long)&places[7];
	write_base((void *)mine);
}

static void *works(void *place)
{
	write_base(place);
	for (int i = 0; i < 200; i++) {
		char byte;
		int fd = open("small.txt", O_RDONLY);
		wrong += read(fd, &byte, 1) != 1 || base() != (unsigned long)place;
		close(fd);
		if (i % 40 == 0)
			raise(SIGUSR1);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[4];
	if (!(getauxval(AT_HWCAP2) & FSGSBASE)) {
		puts("not on this processor");
		return 0;
	}
	on(SIGUSR1, caught, 0);
	show("small.txt");
	write_base(&places[6]);
	show("lines.txt");
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, works, &places[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	YES(base() == (unsigned long)&places[6]);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		YES(base() == (unsigned long)&places[6]);
		execl("/bin/sh", "sh", "-c", "read line < small.txt; echo $line", NULL);
	}
	show_wait("child", pid);
	VALUE(wrong);
	return 0;
}
