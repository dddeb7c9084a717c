/* Call sites of every shape and at every offset in a cache line: each must give the right answer at the
 * first, second (rewriting) and later hits, alone and with other threads on the same sites. */
#include "tell.h"

/* 64 copies, a byte further in the line each: some cross a cache line, one a page. */
#define COPIES 64
#define SITES(name, body) \
	extern char name[]; \
	__asm__(".text; .balign 4096; .globl " #name "; " #name ":\n" \
		".set at, 0\n .rept 64\n" \
		".balign 128; .skip at, 0x90\n" body "\n .set at, at + 1\n .endr\n" \
		".balign 128\n")

SITES(with_number, "mov $110, %eax; syscall; ret; .skip 8, 0xcc");
SITES(with_compare, "xor %eax, %eax; mov $110, %al; syscall; cmp $-4095, %rax; jae 1f; ret; 1: mov $-1, %rax; ret");
SITES(with_test, "mov %rdi, %rax; syscall; test %rax, %rax; js 1f; ret; 1: mov $-1, %rax; ret");
SITES(with_pop, "push %rbp; mov %rdi, %rax; syscall; pop %rbp; ret; .skip 8, 0xcc");
/* a branch into the bytes behind the syscall: such a site must stay as it is */
SITES(branched_into,
      "mov %rdi, %rax; cmp $0, %rdi; je 2f; syscall; 2: cmp $-4095, %rax; jae 1f; ret; 1: mov $-1, %rax; ret");
SITES(last_thing, "mov %rdi, %rax; syscall; ret; .skip 8, 0x90");
SITES(unfit, "mov %rdi, %rax; syscall; lea 1(%rax), %rax; lea -1(%rax), %rax; ret");

static long call(char *base, int copy, long nr)
{
	return ((long (*)(long))(base + copy * 128))(nr);
}

/* The syscall itself across a page's end. */
extern char over_the_page[];
__asm__(".balign 4096; .skip 4090, 0xcc; .globl over_the_page; over_the_page: mov $110, %eax; syscall; cmp $-4095, %rax; ret\n");

static char *const all[] = { with_number, with_compare, with_test, with_pop, branched_into, last_thing, unfit };
static const char *const names[] = { "number", "compare", "test", "pop", "branched", "last", "unfit" };
static long parent;

static long rounds(int count)
{
	long wrong = 0;

	for (unsigned kind = 0; kind < sizeof all / sizeof *all; kind++)
		for (int copy = 0; copy < COPIES; copy++)
			for (int round = 0; round < count; round++)
				wrong += call(all[kind], copy, SYS_getppid) != parent;
	return wrong;
}

static void *runner(void *unused)
{
	(void)unused;
	return (void *)rounds(200);
}

int main(int argc, char **argv)
{
	pthread_t thread[8];
	long wrong = 0;

	(void)argv;
	parent = getppid();
	if (argc == 1)
		for (unsigned kind = 0; kind < sizeof all / sizeof *all; kind++) {
			wrong = 0;
			for (int copy = 0; copy < COPIES; copy++)
				for (int round = 0; round < 4; round++)
					wrong += call(all[kind], copy, SYS_getppid) != parent;
			printf("%s: %ld wrong\n", names[kind], wrong);
		}
	CHECK(call(branched_into, 3, 0) == 0);
	wrong = 0;
	for (int round = 0; round < 5; round++)
		wrong += call(over_the_page, 0, 0) != parent;
	printf("over the page: %ld wrong\n", wrong);
	for (int i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, runner, NULL);
	for (int i = 0; i < 8; i++) {
		void *result;

		pthread_join(thread[i], &result);
		wrong += (long)result;
	}
	printf("threads: %ld wrong\n", wrong);
	return 0;
}
