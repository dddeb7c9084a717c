/* What the program finds on its stack, and what the kernel is told of it. */
#include <linux/auxvec.h>
#include <linux/prctl.h>

#include "front.h"

void hp_stack_read(uint64_t *top, struct hp_stack *stack)
{
	uint64_t *at = top + 1 + top[0] + 1;

	stack->top = top;
	stack->argv = (char **)(top + 1);
	stack->envp = (char **)at;
	while (*at)
		at++;
	stack->auxv = at + 1;
}

static uint64_t *auxv_end(const struct hp_stack *stack)
{
	uint64_t *at = stack->auxv;

	while (*at != AT_NULL)
		at += 2;
	return at + 2;
}

/* Everything behind argv[0] moves down a word, so the stack stays aligned. */
void hp_stack_shift(struct hp_stack *stack)
{
	uint64_t *from = stack->top + 2;

	memmove(from - 1, from, (size_t)((char *)auxv_end(stack) - (char *)from));
	stack->top[0]--;
	hp_stack_read(stack->top, stack);
}

uint64_t hp_stack_auxv(const struct hp_stack *stack, uint64_t type)
{
	for (const uint64_t *at = stack->auxv; *at != AT_NULL; at += 2)
		if (at[0] == type)
			return at[1];
	return 0;
}

void hp_stack_set_auxv(const struct hp_stack *stack, uint64_t type, uint64_t value)
{
	for (uint64_t *at = stack->auxv; *at != AT_NULL; at += 2)
		if (at[0] == type)
			at[1] = value;
}

static uint64_t end_of(const char *text)
{
	return (uint64_t)text + hp_text_length(text) + 1;
}

/* /proc/self/cmdline, environ, auxv, stat, and where brk begins. Without the
 * kernel's leave (PR_SET_MM_MAP needs CONFIG_CHECKPOINT_RESTORE) they show ours. */
void hp_stack_announce(const struct hp_stack *stack, const struct hp_placed *program, uint64_t brk)
{
	struct prctl_mm_map map = {
		.start_code = program->code_start,
		.end_code = program->code_end,
		.start_data = program->data_start,
		.end_data = program->data_end,
		.start_brk = brk,
		.brk = brk,
		.start_stack = (uint64_t)stack->top,
		.auxv = (void *)stack->auxv,
		.auxv_size = (uint32_t)((char *)auxv_end(stack) - (char *)stack->auxv),
		.exe_fd = (uint32_t)-1,
	};
	char **last = stack->envp;

	map.arg_start = (uint64_t)stack->argv[0];
	map.arg_end = end_of(stack->envp[-2]); /* the last argument */
	map.env_start = map.env_end = map.arg_end;
	if (*last) {
		map.env_start = (uint64_t)*last;
		while (last[1])
			last++;
		map.env_end = end_of(*last);
	}
	hp_syscall5(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, (long)&map, sizeof map, 0);
}
