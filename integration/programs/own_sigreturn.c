/* Signal frames made by the program: rt_sigreturn by hand, as emulators and restored processes do. */
#include <ucontext.h>
#include "sig.h"

static char stack[65536] __attribute__((aligned(64)));
static volatile int arrived;

static void landing(long first, long second)
{
	sigset_t set;
	arrived++;
	printf("landed with %ld %ld\n", first, second);
	sigprocmask(SIG_BLOCK, NULL, &set);
	printf("SIGUSR1 %d SIGUSR2 %d SIGSYS %d\n", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2),
	       sigismember(&set, SIGSYS));
	show("small.txt");
	exit(11);
}

static ucontext_t copied;
static char vector[8192] __attribute__((aligned(64)));

/* Takes a real frame as the pattern: the vector state has a form of its own. */
static void copies(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	memcpy(&copied, context, 304); /* the kernel's ucontext ends there */
	uint32_t bytes = ((uint32_t *)copied.uc_mcontext.fpregs)[464 / 4 + 1];
	if (bytes < 512 || bytes > sizeof(vector))
		bytes = 512;
	memcpy(vector, copied.uc_mcontext.fpregs, bytes);
	copied.uc_mcontext.fpregs = (void *)vector;
}

/* Through a function that makes all kinds of calls, and at a site of its own. */
static void leave(void *frame, int by_function)
{
	if (by_function) {
		__asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall\n\tud2" : : "r"(frame));
	} else {
		static const char code[] = "\xb8\x0f\x00\x00\x00\x0f\x05\x0f\x0b";
		char *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memcpy(made, code, sizeof(code));
		MUST(mprotect(made, 4096, PROT_READ | PROT_EXEC));
		__asm__ volatile("mov %0, %%rsp\n\tjmp *%1" : : "r"(frame), "r"(made));
	}
	__builtin_unreachable();
}

static void child(int by_function, const char *blocked)
{
	/* from low to high: 8 bytes less than the context, which rt_sigreturn takes off */
	char *frame = stack + sizeof(stack) / 2;
	ucontext_t *context = (ucontext_t *)frame;
	memcpy(context, &copied, 304);
	context->uc_mcontext.gregs[REG_RIP] = (long)landing;
	context->uc_mcontext.gregs[REG_RSP] = (long)(stack + sizeof(stack) - 264);
	context->uc_mcontext.gregs[REG_RDI] = 7;
	context->uc_mcontext.gregs[REG_RSI] = 8;
	sigemptyset(&context->uc_sigmask);
	for (; *blocked; blocked++)
		sigaddset(&context->uc_sigmask, *blocked == '1' ? SIGUSR1 : *blocked == '2' ? SIGUSR2 : SIGSYS);
	leave(frame, by_function);
}

int main(void)
{
	static const char *const masks[] = { "", "1", "12", "1S", "S" };
	on_info(SIGUSR1, copies, 0);
	raise(SIGUSR1);
	for (unsigned i = 0; i < 10; i++) {
		pid_t pid = MUST(fork());
		if (pid == 0)
			child(i % 2, masks[i / 2]);
		show_wait("child", pid);
	}
	pid_t pid = MUST(fork());
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		leave(stack + 8, 1); /* zeros: no frame at all */
	}
	show_wait("nonsense", pid);
	return 0;
}
