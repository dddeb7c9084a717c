/* rseq: libc's registration in every thread and child; a critical section that signals and preemption abort, and counts come out right. */
#include <sys/rseq.h>
#include "sig.h"

static struct rseq *mine(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static void registered(const char *who)
{
	struct rseq *area = mine();
	unsigned cpu = 0;
	int is_right = 0;
	if (__rseq_size == 0) {
		printf("%s: libc does not use it\n", who);
		return;
	}
	for (int i = 0; i < 1000 && !is_right; i++) { /* it may move between the two looks */
		MUST(getcpu(&cpu, NULL));
		is_right = *(volatile uint32_t *)&area->cpu_id == cpu;
	}
	printf("%s: %s\n", who, is_right ? "knows its processor" : "does not know its processor");
	TRY(syscall(SYS_rseq, area, 32, 0, RSEQ_SIG)); /* is registered already */
	TRY(syscall(SYS_rseq, area, 32, 0, RSEQ_SIG + 1));
	TRY(syscall(SYS_rseq, (char *)area + 32, 32, 0, RSEQ_SIG));
	TRY(syscall(SYS_rseq, area, 32, 77, RSEQ_SIG));
}

/* number += 1 unless anything came between; 0: done. */
static int add_one(long *number, volatile int *aborts)
{
	struct rseq *area = mine();
	long value;
	int aborted;
	__asm__ volatile(
		".pushsection __rseq_cs, \"aw\"\n"
		".balign 32\n"
		"1:\n"
		".long 0, 0\n"
		".quad 2f, 3f - 2f, 4f\n"
		".popsection\n"
		"lea 1b(%%rip), %%rax\n"
		"mov %%rax, %[section]\n"
		"2:\n"
		"mov %[number], %[value]\n"
		"mov $60, %%eax\n" /* long enough for something to come between */
		"5: dec %%eax\n"
		"jnz 5b\n"
		"inc %[value]\n"
		"mov %[value], %[number]\n"
		"3:\n"
		"xor %[aborted], %[aborted]\n"
		"jmp 6f\n"
		".byte 0x0f, 0xb9, 0x3d\n"
		".long %c[signature]\n"
		"4:\n"
		"mov $1, %[aborted]\n"
		"6:\n"
		: [value] "=&r"(value), [aborted] "=&r"(aborted), [number] "+m"(*number), [section] "=m"(area->rseq_cs)
		: [signature] "i"(RSEQ_SIG)
		: "rax", "memory", "cc");
	*aborts += aborted;
	return aborted;
}

static long number;
static volatile int aborts, handled;

static void adds_too(int signal)
{
	(void)signal;
	handled++;
	number++; /* inside of the section this is lost, unless that is aborted */
}

static void *thread(void *none)
{
	registered("thread");
	return none;
}

int main(void)
{
	registered("main");
	pthread_t other;
	MUST(pthread_create(&other, NULL, thread, NULL));
	pthread_join(other, NULL);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		registered("child");
		_exit(0);
	}
	show_wait("child", pid);
	if (__rseq_size == 0)
		return 0;
	on(SIGALRM, adds_too, SA_RESTART);
	alarms(300);
	long done = 0;
	struct stat st;
	while (done < 2000000 && (aborts < 20 || handled < 200 || done < 200000)) {
		if (add_one(&number, &aborts) == 0)
			done++;
		if (done % 512 == 0) /* calls of the table in between */
			MUST(stat("small.txt", &st));
	}
	alarms(0);
	YES(number == done + handled);
	YES(aborts > 0);
	registered("at last");
	return 0;
}
