/* The userland exec: from the loader's first instruction to the program's.
 *
 * Executed as loader INFO argv0 argv1 ...: maps the program INFO names and its
 * ELF interpreter, makes stack, auxiliary vector and /proc/self look as the
 * kernel would have made them, takes the system calls, and jumps.
 */
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/personality.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include "front.h"

#define PIE_BASE 0x555555554000ul
#define PIE_SPREAD (1ul << 28) /* pages */
#define BRK_SPREAD (1ul << 13)
#define NO_RANDOMIZE 0x0040000l
#define WHAT_PERSONALITY 0xffffffffl
#define TRIES 16
#define GRND_NONBLOCK 1

void hp_start(uint64_t *top) __attribute__((used));

_Noreturn static void give_up(const char *path, const char *what, long error)
{
	char line[512], *at = line;
	const char *parts[] = { "hpool: ", path, ": ", what, " (errno " };
	unsigned value = (unsigned)-error;

	for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
		for (const char *from = parts[i]; *from && at < line + sizeof line - 16; from++)
			*at++ = *from;
	if (value >= 100)
		*at++ = (char)('0' + value / 100 % 10);
	if (value >= 10)
		*at++ = (char)('0' + value / 10 % 10);
	*at++ = (char)('0' + value % 10);
	*at++ = ')';
	*at++ = '\n';
	hp_syscall3(__NR_write, 2, (long)line, at - line);
	hp_syscall1(__NR_exit_group, error == -ENOENT ? 127 : 126);
	__builtin_unreachable();
}

/* The first program of a job may be a script: then as an execve of it would go. */
static void if_script(int fd, const struct hp_info *info, const struct hp_stack *stack)
{
	struct hp_call call = { .nr = __NR_execve, .arg = { (long)info->path, (long)stack->argv, (long)stack->envp } };
	char start[2] = { 0, 0 };

	if (hp_syscall4(__NR_pread64, fd, (long)start, 2, 0) == 2 && start[0] == '#' && start[1] == '!')
		give_up(info->path, "its interpreter cannot be executed", hp_call_execve(&call));
}

/* A job's first program, by the name that was typed: as an execve has it, without the links on the way. */
static void know_first(struct hp_info *info)
{
	static char path[HP_PATH_MAX];

	if (info->first && !hp_exec_prepare(info->path, AT_FDCWD, 0, path, sizeof path)) {
		info->path = path;
		hp_self_exe_set(path);
	}
}

static uint64_t random_number(void)
{
	uint64_t number = 0;

	if (hp_syscall1(__NR_personality, WHAT_PERSONALITY) & NO_RANDOMIZE)
		return 0;
	if (hp_syscall3(__NR_getrandom, (long)&number, sizeof number, GRND_NONBLOCK) != sizeof number)
		number = __builtin_ia32_rdtsc() * 0x9e3779b97f4a7c15ull;
	return number;
}

/* Returns only when a fixed program cannot have its addresses because they are taken. */
static void load(int fd, const char *path, struct hp_elf *elf, uint64_t hint, struct hp_placed *placed)
{
	long failed = hp_elf_read(fd, elf);

	if (failed)
		give_up(path, "is not a program for this machine", failed);
	failed = hp_elf_map(fd, elf, hint, placed);
	if (failed == -EEXIST && elf->fixed)
		return;
	if (failed)
		give_up(path, "cannot be mapped", failed);
	hp_syscall1(__NR_close, fd);
	elf->placed = true;
}

/* The program's fixed addresses are where the loader, its stack or the channel happen to
 * be: starts again, to be put elsewhere. What is never random is made so until then. */
static void start_elsewhere(const struct hp_info *info, const struct hp_stack *stack)
{
	static char word[HP_INFO_MAX];
	struct hp_info again = *info;
	long personality = hp_syscall1(__NR_personality, WHAT_PERSONALITY), count = (long)stack->top[0],
	     error = -EEXIST;
	const char **words;

	if (personality & NO_RANDOMIZE) {
		again.randomized = true;
		hp_syscall1(__NR_personality, personality & ~NO_RANDOMIZE);
	}
	words = (const char **)hp_syscall6(__NR_mmap, 0, (count + 2) * (long)sizeof *words, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (again.tries++ < TRIES && (unsigned long)words < -4095ul && hp_info_write(word, sizeof word, &again)) {
		words[0] = word;
		memcpy(words + 1, stack->argv, (size_t)(count + 1) * sizeof *words);
		if (hp_thread()->sigsys_pending)
			hp_sigsys_keep(hp_thread());
		error = hp_syscall3(__NR_execve, (long)(hp_channel ? HP_LOADER_PATH : "/proc/self/exe"), (long)words,
				    (long)stack->envp);
	}
	give_up(info->path, "its addresses are taken", error);
}

static int open_or_give_up(const char *path)
{
	long fd = hp_open_program(path);

	if (fd < 0)
		give_up(path, "cannot be opened", fd);
	return (int)fd;
}

/* Some clocks are read by a system call from within the vdso. */
static void know_vdso(const struct hp_stack *stack)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)hp_stack_auxv(stack, AT_SYSINFO_EHDR);
	const Elf64_Phdr *segment = (const Elf64_Phdr *)((const char *)header + (header ? header->e_phoff : 0));
	struct hp_text text = { .start = (unsigned long)header, .protection = PROT_READ | PROT_EXEC };

	for (unsigned i = 0; header && i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD)
			text.end = text.start + HP_PAGE_UP(segment[i].p_offset + segment[i].p_memsz);
	if (text.end)
		hp_text_know(&text);
}

static void start_tracing(const char *otherwise)
{
	long failed = hp_trace_start();

	if (failed)
		give_up(hp_self_exe(), otherwise, failed);
}

static void take_calls(void)
{
	long failed;

	hp_dispatch_start();
	if (!hp_traced) {
		failed = hp_dispatch ? hp_dispatch_arm() : -EINVAL;
		if (failed && hp_front_mode == HP_MODE_AUTO)
			start_tracing(
				"this kernel lacks Syscall User Dispatch (Linux 5.11), and its tracing cannot be had");
		else if (failed)
			give_up(hp_self_exe(), "this kernel lacks Syscall User Dispatch (Linux 5.11)", failed);
	}
	hp_proc_publish();
}

static void make_thread(const struct hp_info *info)
{
	struct hp_thread *thread = hp_thread_create();
	long failed;

	if (!thread)
		give_up("loader", "no memory", -ENOMEM);
	thread->actions = &hp_main_actions;
	thread->sigsys_blocked = info->sigsys_blocked;
	if (info->sigsys_blocked && !hp_traced)
		hp_sigsys_take(thread);
	failed = hp_thread_install(thread);
	if (failed)
		give_up("loader", "%gs or the signal stack cannot be set", failed);
}

void hp_start(uint64_t *top)
{
	static struct hp_elf program_elf, interpreter_elf;
	struct hp_placed program, interpreter = { 0 };
	struct hp_stack stack;
	struct hp_info info;
	uint64_t random, entry, brk;
	int program_fd;
	long failed;

	hp_stack_read(top, &stack);
	if (top[0] < 2 || !hp_info_parse(stack.argv[0], &info))
		give_up("hpool-loader", "is started by hpool only", -EINVAL);
	hp_stack_shift(&stack);
	hp_self_exe_set(info.path);
	hp_trace_features(hp_stack_auxv(&stack, AT_HWCAP2));
	make_thread(&info);
	/* Without it the program would take an almost empty root for home. */
	failed = hp_channel_map();
	if (failed)
		give_up(info.path, "a limit leaves no room for the memory shared with hpool", failed);
	know_first(&info);
	if (hp_front_mode == HP_MODE_TRACE && !hp_traced)
		start_tracing("this machine does not let it be traced (--intercept trace)");

	random = random_number();
	program_fd = info.fd >= 0 ? info.fd : open_or_give_up(info.path);
	if_script(program_fd, &info, &stack);
	/* Where no tracer can be had it is tried in process: perhaps it never does. */
	if (hp_front_mode == HP_MODE_AUTO && !hp_traced && hp_program_takes_gs(program_fd))
		(void)!hp_trace_start();
	load(program_fd, info.path, &program_elf, PIE_BASE + (random % PIE_SPREAD) * HP_PAGE, &program);
	if (!program_elf.placed)
		start_elsewhere(&info, &stack);
	if (info.randomized)
		hp_syscall1(__NR_personality, hp_syscall1(__NR_personality, WHAT_PERSONALITY) | NO_RANDOMIZE);
	entry = program.entry;
	if (program_elf.interpreter[0]) {
		load(open_or_give_up(program_elf.interpreter), program_elf.interpreter, &interpreter_elf, 0,
		     &interpreter);
		entry = interpreter.entry;
	}
	if (program_elf.executable_stack)
		hp_syscall3(__NR_mprotect, (long)((uint64_t)top & ~(HP_PAGE - 1)), HP_PAGE,
			    PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
	hp_stack_set_auxv(&stack, AT_PHDR, program.headers);
	hp_stack_set_auxv(&stack, AT_PHNUM, program_elf.header_count);
	hp_stack_set_auxv(&stack, AT_PHENT, sizeof(Elf64_Phdr));
	hp_stack_set_auxv(&stack, AT_ENTRY, program.entry);
	hp_stack_set_auxv(&stack, AT_BASE, interpreter.base);
	hp_stack_set_auxv(&stack, AT_EXECFN, (uint64_t)info.name);
	brk = HP_PAGE_UP(program.end) + (random >> 32) % BRK_SPREAD * HP_PAGE;
	hp_stack_announce(&stack, &program, brk);
	hp_syscall5(__NR_prctl, PR_SET_NAME, (long)hp_base_name(info.name), 0, 0, 0);
	know_vdso(&stack);
	take_calls();
	failed = hp_cpuid_hide();
	if (failed)
		give_up(info.path, "this processor cannot hide what it has (--cpu-level)", failed);
	if (hp_traced)
		hp_gs_write(0);
	else
		hp_relinked_open(&program_elf, &program);
	hp_enter_program(entry, stack.top);
}
