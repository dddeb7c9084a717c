/* SS_AUTODISARM: the alternate stack is free while a handler runs on it, and is armed again by its end; what a frame says of it. */
#include <ucontext.h>
#include "sig.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char first[65536], second[65536];
static volatile int depth;

static const char *stack_name(const void *at)
{
	const char *here = at;
	return here >= first && here <= first + sizeof(first)    ? "first" :
	       here >= second && here <= second + sizeof(second) ? "second" :
	       here                                              ? "its own" :
								   "none";
}

static void query(const char *when)
{
	stack_t now;
	MUST(sigaltstack(NULL, &now));
	printf("%s: %s%s%s%s, size %zu\n", when, stack_name(now.ss_sp), now.ss_flags & SS_ONSTACK ? " on it" : "",
	       now.ss_flags & SS_DISABLE ? " disabled" : "",
	       (unsigned)now.ss_flags & SS_AUTODISARM ? " autodisarm" : "", now.ss_size);
}

static void arm(char *stack, unsigned flags)
{
	stack_t new = { .ss_sp = stack, .ss_size = 65536, .ss_flags = (int)flags };
	TRY(sigaltstack(&new, NULL));
}

static void show_frame(const ucontext_t *context)
{
	const stack_t *stack = &context->uc_stack;
	printf("frame: %s size %zu flags %x\n", stack_name(stack->ss_sp), stack->ss_size, (unsigned)stack->ss_flags);
}

static void handler(int number, siginfo_t *info, void *context)
{
	char here;
	(void)info;
	printf("%s handler runs on %s\n", sigabbrev_np(number), stack_name(&here));
	show_frame(context);
	query("within");
	if (number == SIGUSR1 && ++depth < 3)
		raise(SIGUSR1);
	if (number == SIGUSR2)
		arm(second, 0);
}

/* The use it was made for: a coroutine is left within its handler, and its frame on the stack stays whole. */
static ucontext_t coroutine, main_context;
static char coroutine_stack[65536];
static volatile int entered;

static void leaves(int number)
{
	char keep[64];
	(void)number;
	entered++;
	memset(keep, 'a' + entered, sizeof(keep));
	if (entered == 1) {
		swapcontext(&coroutine, &main_context);
		printf("back in the first, whole: %s\n", keep[0] == 'b' && keep[63] == 'b' ? "yes" : "no");
	}
}

static void body(void)
{
	raise(SIGUSR1);
	query("after the handler that was left");
}

static void edits(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	(void)number, (void)info;
	frame->uc_stack.ss_sp = second;
	frame->uc_stack.ss_size = 32768;
	frame->uc_stack.ss_flags = 0;
}

int main(void)
{
	query("at first");
	arm(first, 0);
	query("armed");
	on_info(SIGUSR1, handler, SA_ONSTACK | SA_NODEFER);
	raise(SIGUSR1);
	query("after");
	arm(first, SS_AUTODISARM);
	query("armed");
	depth = 0;
	raise(SIGUSR1);
	query("after");
	on_info(SIGUSR2, handler, SA_ONSTACK);
	raise(SIGUSR2);
	query("set by a handler, undone by its end");
	on_info(SIGUSR2, handler, 0);
	raise(SIGUSR2);
	query("not on it, and undone too");
	arm(first, SS_ONSTACK);
	raise(SIGUSR2);
	query("set without SS_AUTODISARM and not on it: undone");
	on_info(SIGHUP, edits, 0);
	raise(SIGHUP);
	query("a handler edited its frame");
	on_info(SIGHUP, edits, SA_ONSTACK);
	arm(first, 0);
	raise(SIGHUP);
	query("on the stack the edit does not count");
	arm(first, SS_AUTODISARM);
	on(SIGUSR1, leaves, SA_ONSTACK | SA_NODEFER);
	MUST(getcontext(&coroutine));
	coroutine.uc_stack = (stack_t){ .ss_sp = coroutine_stack, .ss_size = sizeof(coroutine_stack) };
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, body, 0);
	swapcontext(&main_context, &coroutine);
	query("left by a switch");
	raise(SIGUSR1);
	arm(second, SS_AUTODISARM);
	raise(SIGUSR1);
	query("after another on the second stack");
	swapcontext(&main_context, &coroutine);
	query("at its end");
	stack_t bad = { .ss_sp = first, .ss_size = 100 };
	TRY(sigaltstack(&bad, NULL));
	bad.ss_flags = 4;
	TRY(sigaltstack(&bad, NULL));
	bad.ss_flags = SS_DISABLE;
	TRY(sigaltstack(&bad, NULL));
	query("disabled");
	TRY(sigaltstack((void *)8, NULL));
	return 0;
}
