/* A signal's frame as a kernel leaves it that saves more register sets than this one: what is left of the
 * program's registers when the handler returns? Prints 1 if all of a vector register is, for a frame that was
 * left alone and for one that says it is larger. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static int larger;

static void handler(int number, siginfo_t *info, void *context)
{
	struct _fpx_sw_bytes *told =
		(void *)((char *)((ucontext_t *)context)->uc_mcontext.fpregs + 464); /* behind the legacy area */
	(void)number, (void)info;
	if (larger) { /* by the size of one more set, a component that this kernel does not have enabled */
		uint32_t second;
		memcpy(&second, (char *)((ucontext_t *)context)->uc_mcontext.fpregs + told->xstate_size, sizeof second);
		told->xstate_size += 64;
		told->extended_size += 64;
		memcpy((char *)((ucontext_t *)context)->uc_mcontext.fpregs + told->xstate_size, &second, sizeof second);
	}
}

static int survives(void)
{
	uint64_t before[4] = { 1, 2, 3, 4 }, after[4] = { 0 };
	long pid = getpid(), number = SIGUSR1, call = 62; /* kill */
	__asm__ volatile("vmovdqu %2, %%ymm7\n\tsyscall\n\tvmovdqu %%ymm7, %0"
			 : "=m"(after), "+a"(call)
			 : "m"(before), "D"(pid), "S"(number)
			 : "rcx", "r11", "memory");
	return !memcmp(before, after, sizeof before);
}

int main(void)
{
	static char room[1 << 16]; /* a little more than the kernel is told of: there a frame may grow */
	stack_t stack = { .ss_sp = room, .ss_size = sizeof room - 256 };
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	printf("%d", survives());
	larger = 1;
	printf(" %d\n", survives());
	return 0;
}
