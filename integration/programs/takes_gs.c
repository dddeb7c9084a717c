/* Programs that use %gs for themselves, as Wine does: set by call and by instruction, in threads, handlers, children. */
#include <asm/prctl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include "say.h"

static unsigned long areas[20];
static volatile unsigned long seen_in_handler;

static unsigned long at_gs(void)
{
	unsigned long word;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(word));
	return word;
}

static void set_gs(unsigned long *area, unsigned long mark)
{
	*area = mark;
	MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, area));
}

static void handler(int signal)
{
	(void)signal;
	seen_in_handler = at_gs();
	struct stat st;
	stat("small.txt", &st);
}

static void *in_thread(void *number)
{
	unsigned long mark = (unsigned long)number, wrong = 0;
	wrong += at_gs() != 7000; /* a new thread has its parent's */
	set_gs(&areas[mark], mark);
	for (int i = 0; i < 300; i++) {
		int fd = open("small.txt", O_RDONLY);
		char byte;
		wrong += read(fd, &byte, 1) != 1 || at_gs() != mark;
		close(fd);
		if (i % 50 == 0) {
			raise(SIGUSR1);
			wrong += at_gs() != mark;
		}
	}
	return (void *)wrong;
}

int main(void)
{
	unsigned long base = 1, instruction_area = 9000;
	MUST(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
	printf("at first: %lu\n", base);
	set_gs(&areas[19], 7000);
	MUST(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
	printf("as set: %d, reads %lu\n", base == (unsigned long)&areas[19], at_gs());
	errno = 0;
	printf("beyond: %ld %s\n", syscall(SYS_arch_prctl, ARCH_SET_GS, -4096l), strerror(errno));
	struct sigaction action = { .sa_handler = handler };
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	printf("in a handler: %lu, after it: %lu\n", seen_in_handler, at_gs());
	pthread_t threads[16];
	unsigned long wrong = 0;
	for (unsigned long i = 0; i < 16; i++)
		pthread_create(&threads[i], NULL, in_thread, (void *)i);
	for (int i = 0; i < 16; i++) {
		void *result;
		pthread_join(threads[i], &result);
		wrong += (unsigned long)result;
	}
	printf("wrong in threads: %lu\n", wrong);
	if (getauxval(AT_HWCAP2) & 2) { /* FSGSBASE */
		__asm__ volatile("wrgsbase %0" : : "r"(&instruction_area) : "memory");
		struct stat st;
		int found = stat("small.txt", &st);
		__asm__ volatile("rdgsbase %0" : "=r"(base));
		printf("by instruction: %d %lu %d\n", found, at_gs(), base == (unsigned long)&instruction_area);
		pid_t pid = fork();
		if (pid == 0) {
			stat("small.txt", &st);
			printf("in a child: %lu\n", at_gs());
			fflush(stdout);
			execl("/bin/sh", "sh", "-c", "read line < small.txt; echo then: $line", NULL);
		}
		show_wait("child", pid);
	}
	return 0;
}
