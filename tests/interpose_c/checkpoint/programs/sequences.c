/* A restartable sequence (rseq(2)) is begun anew, or goes on as one: never on its own. */
#include "again.h"
#include <pthread.h>
#include <stdint.h>
#include <sys/rseq.h>

static volatile int stop;
enum how { STOPPED, BEGUN_ANEW, LOST };

/* Spins within a sequence as long as it is one. */
static enum how spin(volatile uint64_t *area)
{
	int how;
	__asm__ volatile(".pushsection .data.sequence, \"aw\"\n"
			 ".balign 32\n"
			 "3: .long 0, 0\n"
			 ".quad 1f, 2f - 1f, 4f\n"
			 ".popsection\n"
			 "leaq 3b(%%rip), %%rax\n"
			 "movq %%rax, %[area]\n"
			 "1: cmpq %%rax, %[area]\n"
			 "jne 5f\n"
			 "cmpl $0, %[stop]\n"
			 "je 1b\n"
			 "2: movl $0, %[how]\n"
			 "jmp 6f\n"
			 "5: movl $2, %[how]\n"
			 "jmp 6f\n"
			 ".long 0x53053053\n"
			 "4: movl $1, %[how]\n"
			 "6:\n"
			 : [how] "=&r"(how), [area] "+m"(*area)
			 : [stop] "m"(stop)
			 : "rax", "memory", "cc");
	return (enum how)how;
}

static void *be_within(void *result)
{
	volatile uint64_t *area = (void *)((char *)__builtin_thread_pointer() + __rseq_offset + 8); /* rseq_cs */
	enum how how;
	while ((how = spin(area)) == BEGUN_ANEW)
		;
	*(enum how *)result = how;
	return NULL;
}

int main(void)
{
	pthread_t thread;
	enum how how = LOST;
	CHECK(__rseq_size > 0);
	CHECK(pthread_create(&thread, NULL, be_within, &how) == 0);
	linger();
	stop = 1;
	CHECK(pthread_join(thread, NULL) == 0 && how == STOPPED);
	return done();
}
