/* The userland exec loader, shared by its files. */
#ifndef HPOOL_FRONT_H
#define HPOOL_FRONT_H

#include "hpool/arch.h"
#include "hpool/channel.h"
#include "hpool/text.h"

#define HP_PATH_MAX 4096u
#define HP_INTERPRETER_MAX 4096u

/* ---- info.c: argv[0] of the loader ---- */
/* "hpool:PATH", or "hpool,n<length of PATH>:PATH EXECFN" without the space when the
 * program was named otherwise, with ",f<descriptor>" when it has no name left.
 * ",t<number>": the loader stood in the program's way so often; ",r1": it has turned
 * address randomization on to get out of it. How its calls are met: none of these, in
 * process for good; ",a" in process until it does what cannot be served so; ",T" ask for
 * the tracer first; ",x" it is traced; ",d" as if the kernel had no dispatch. ",s1": it
 * believes SIGSYS blocked. ",l<level>": what the processor shows (cpuid.c). */
struct hp_info {
	const char *path; /* what /proc/self/exe names; hp_self_exe() once parsed */
	const char *name; /* as it was given to execve: AT_EXECFN, the command name */
	int fd;           /* -1: to be opened by path */
	unsigned tries;
	bool first; /* of the job: no shim's exec led to it */
	bool randomized;
	bool sigsys_blocked;
};
extern bool hp_dispatch; /* false: not to be used */
bool hp_info_parse(char *text, struct hp_info *info);
/* Length without NUL, or 0 when there is no room. */
unsigned hp_info_write(char *room, unsigned size, const struct hp_info *info);
#define HP_INFO_MAX (2 * HP_PATH_MAX + 64)

/* ---- elf.c: what a file says of itself ---- */
#define HP_SEGMENTS 128u
struct hp_segment {
	uint64_t address, file_offset, file_bytes, memory_bytes, align;
	uint32_t flags; /* PF_* */
};
struct hp_elf {
	bool fixed; /* ET_EXEC */
	bool placed; /* by start.c: it has been mapped */
	bool executable_stack;
	uint64_t entry, header_address; /* of the program headers, in memory */
	uint64_t low, high, align;      /* the span of all segments */
	unsigned header_count, count;
	struct hp_segment segment[HP_SEGMENTS];
	char interpreter[HP_INTERPRETER_MAX]; /* "" none */
};
/* 0, or the errno execve gives for such a file. */
long hp_elf_read(int fd, struct hp_elf *elf);

/* ---- map.c ---- */
struct hp_placed {
	uint64_t base; /* added to the file's addresses */
	uint64_t entry, headers;
	uint64_t code_start, code_end, data_start, data_end, end;
};
/* `hint`: where something movable should go, 0 anywhere. */
long hp_elf_map(int fd, const struct hp_elf *elf, uint64_t hint, struct hp_placed *placed);

/* ---- relinked.c ---- */
void hp_relinked_open(const struct hp_elf *elf, const struct hp_placed *placed);

/* ---- stack.c ---- */
struct hp_stack {
	uint64_t *top; /* argc */
	char **argv, **envp;
	uint64_t *auxv;
};
void hp_stack_read(uint64_t *top, struct hp_stack *stack);
void hp_stack_shift(struct hp_stack *stack); /* argv[0] goes */
uint64_t hp_stack_auxv(const struct hp_stack *stack, uint64_t type);
void hp_stack_set_auxv(const struct hp_stack *stack, uint64_t type, uint64_t value);
void hp_stack_announce(const struct hp_stack *stack, const struct hp_placed *program, uint64_t brk);

/* ---- script.c ---- */
#define HP_SCRIPT_LINE 256u
struct hp_script {
	const char *interpreter, *argument; /* argument NULL: none */
};
/* `line`: the file's first bytes, zeros behind; it is cut up. 0 or -ENOEXEC. */
long hp_script_parse(char line[HP_SCRIPT_LINE], struct hp_script *script);

/* ---- exec.c ---- */
long hp_call_execve(struct hp_call *call);

/* ---- channel.c ---- */
long hp_channel_map(void); /* 0, also when there is none; -errno: it cannot be had */

_Noreturn void hp_enter_program(uint64_t entry, uint64_t *stack);

static inline unsigned hp_text_length(const char *text)
{
	unsigned length = 0;

	while (text[length])
		length++;
	return length;
}

static inline bool hp_text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static inline const char *hp_base_name(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

#endif
