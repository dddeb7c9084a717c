/* int $0x80, swapcontext, deep stacks, alloca, self-made signal returns, %gs. */
#include <alloca.h>
#include <asm/prctl.h>
#include <ucontext.h>
#include "tell.h"

static long old_way(long nr, long a)
{
	long result, kept = 0x1122334455667788;

	__asm__ volatile(
		"mov %[kept], %%r12; mov $77, %%r8; int $0x80; sub $77, %%r8; xor %[kept], %%r12; or %%r8, %%r12"
		: "=a"(result)
		: "a"(nr), "b"(a), "c"(1234l), "d"(5l), [kept] "r"(kept)
		: "r8", "r12", "memory");
	return result;
}

static ucontext_t main_context, other_context;
static int turns;

static void coroutine(void)
{
	for (;;) {
		char byte;
		int fd = open("/etc/passwd", O_RDONLY);

		turns += read(fd, &byte, 1) == 1;
		close(fd);
		swapcontext(&other_context, &main_context);
	}
}

__attribute__((noinline)) static int deep(int n)
{
	volatile char room[1000];

	room[0] = 1;
	return n == 0 ? getppid() > 0 : deep(n - 1) + room[0] - 1;
}

static volatile int signals;
static void handler(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)signal;
	(void)info;
	signals++;
	at->uc_mcontext.gregs[REG_RBX] = 0x4242; /* takes effect on return */
}

int main(void)
{
	static char stack[65536];
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	unsigned long gs = 1, rbx;

	for (int i = 0; i < 5; i++)
		CHECK(old_way(64, 0) == getppid());
	printf("int 0x80 close: %ld\n", old_way(6, 999));
	getcontext(&other_context);
	other_context.uc_stack.ss_sp = stack;
	other_context.uc_stack.ss_size = sizeof stack;
	makecontext(&other_context, coroutine, 0);
	for (int i = 0; i < 100; i++)
		swapcontext(&main_context, &other_context);
	TELL(turns);
	TELL(deep(7000));
	{
		char *room = alloca(6 << 20);

		room[0] = 1;
		CHECK(getppid() > 0 && room[0] == 1);
	}
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 3; i++) {
		__asm__ volatile("mov $0, %%ebx; mov %[tgkill], %%eax; syscall; mov %%rbx, %[rbx]"
				 : [rbx] "=r"(rbx)
				 : [tgkill] "i"(SYS_tkill), "D"((long)gettid()), "S"((long)SIGUSR1)
				 : "rax", "rbx", "rcx", "r11", "memory");
		printf("rbx %lx\n", rbx);
	}
	TELL(signals);
	TELL(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	TELL(gs);
	TELL(syscall(SYS_arch_prctl, 0x9999, 0));
	return 0;
}
