/* execve and execveat: the same checks and errors as the kernel's, then a native
 * execve of the loader with one more word in front, which names the program.
 *
 * Owns: scripts, what may be executed. Leaves to others: making files present
 * (hp_exec_prepare) and the new process (start.c).
 */
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "front.h"

#define LEVELS 5 /* of scripts: ELOOP after that */
#define SMALL 512u /* arguments that fit on the shim's stack */

struct plan {
	char path[HP_PATH_MAX]; /* of the file in question, resolved */
	char name[HP_PATH_MAX]; /* as execve was told */
	char line[LEVELS + 1][HP_SCRIPT_LINE];
	const char *front[2 * LEVELS + 4]; /* arguments before the caller's, last first */
	unsigned fronts;
	int fd; /* the program when it has no name left, else -1 */
	bool closing; /* named by a descriptor that an exec closes */
	char info[HP_INFO_MAX];
};

/* A memfd or an unlinked file: the descriptor itself goes along, or one like it that can be read. */
static long duplicate(int fd)
{
	char link[HP_FD_LINK_MAX];

	if (hp_syscall2(__NR_fcntl, fd, F_GETFL) & O_PATH)
		return hp_syscall4(__NR_openat, AT_FDCWD, (long)hp_fd_link(link, fd), O_RDONLY | O_CLOEXEC, 0);
	return hp_syscall3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 0);
}

static long open_checked(struct plan *plan, const char *path, int dirfd, int flags)
{
	bool given = flags & AT_EMPTY_PATH && !path[0];
	long failed, fd;

	if (given && dirfd == AT_FDCWD)
		return -EACCES; /* the directory one is in */
	if (given && hp_syscall3(__NR_fcntl, dirfd, F_GETFD, 0) < 0)
		return -EBADF;
	failed = hp_exec_prepare(path, dirfd, flags, plan->path, sizeof plan->path);
	if (failed)
		return failed;
	fd = hp_open_program(plan->path);
	if (fd >= 0 || !given || fd != -ENOENT)
		return fd;
	fd = duplicate(dirfd);
	plan->fd = (int)fd;
	return fd;
}

/* The program's ELF interpreter must be there before there is no way back. */
static long check_elf(struct plan *plan, int fd)
{
	char resolved[HP_PATH_MAX];
	struct hp_elf elf;
	long failed = hp_elf_read(fd, &elf), interpreter;

	(void)plan;
	if (failed || !elf.interpreter[0])
		return failed;
	failed = hp_exec_prepare(elf.interpreter, AT_FDCWD, 0, resolved, sizeof resolved);
	if (failed)
		return failed;
	interpreter = hp_open_program(resolved);
	if (interpreter < 0)
		return interpreter;
	failed = hp_elf_read((int)interpreter, &elf);
	hp_syscall1(__NR_close, interpreter);
	return failed == -ENOEXEC ? -ELIBBAD : failed;
}

/* One file: 0 it is the program, 1 a script whose interpreter is now path. */
static long examine(struct plan *plan, int fd, unsigned level, const char *named, const char **next)
{
	char *line = plan->line[level];
	struct hp_script script;
	long got;

	memset(line, 0, HP_SCRIPT_LINE);
	got = hp_syscall4(__NR_pread64, fd, (long)line, HP_SCRIPT_LINE, 0);
	if (got < 0)
		return got == -EISDIR ? -EACCES : got;
	if (line[0] != '#' || line[1] != '!')
		return check_elf(plan, fd);
	if (hp_script_parse(line, &script))
		return -ENOEXEC;
	if (plan->closing)
		return -ENOENT; /* the interpreter could not open it */
	if (!script.interpreter[0])
		return -EACCES;
	plan->fronts--; /* argv[0] */
	plan->front[plan->fronts++] = named;
	if (script.argument)
		plan->front[plan->fronts++] = script.argument;
	plan->front[plan->fronts++] = script.interpreter;
	*next = script.interpreter;
	return 1;
}

static long follow(struct plan *plan, const char *path, int dirfd, int flags)
{
	const char *at = path, *named = plan->name;

	for (unsigned level = 0;; level++) {
		long fd = open_checked(plan, at, dirfd, flags), verdict;

		if (fd < 0)
			return fd;
		if (level > LEVELS) {
			hp_syscall1(__NR_close, fd);
			return -ELOOP;
		}
		verdict = examine(plan, (int)fd, level, named, &at);
		if (plan->fd < 0 || verdict) {
			hp_syscall1(__NR_close, fd);
			plan->fd = -1;
		}
		if (verdict <= 0)
			return verdict;
		named = at;
		plan->closing = false;
		dirfd = AT_FDCWD;
		flags = 0;
	}
}

/* ---- arguments ------------------------------------------------------------------ */

static long count_words(unsigned long user)
{
	unsigned long word;

	for (long count = 0; count < 0x1000000; count++) {
		if (user == 0)
			return 0;
		if (hp_user_read(&word, (const void *)(user + 8 * (unsigned long)count), sizeof word))
			return -EFAULT;
		if (!word)
			return count;
	}
	return -E2BIG;
}

static long read_text(char *to, const char *user)
{
	long length = hp_user_text(to, user, HP_PATH_MAX);

	return length < 0 ? length : 0;
}

static char *copy_text(char *to, const char *from)
{
	while ((*to = *from) != 0)
		to++, from++;
	return to;
}

/* The kernel's name for what was executed: AT_EXECFN, and a script's path. */
static long name_it(struct plan *plan, const char *path, int dirfd)
{
	char *at;

	if (path[0] == '/' || dirfd == AT_FDCWD) {
		copy_text(plan->name, path);
		return 0;
	}
	plan->closing = hp_syscall3(__NR_fcntl, dirfd, F_GETFD, 0) == FD_CLOEXEC;
	at = hp_put_number(copy_text(plan->name, "/dev/fd/"), (unsigned)dirfd);
	*at = 0;
	if (path[0]) {
		*at++ = '/';
		if (hp_text_length(path) + (unsigned)(at - plan->name) + 1 > sizeof plan->name)
			return -ENAMETOOLONG;
		copy_text(at, path);
	}
	return 0;
}

static long enter_loader(const char **argv, unsigned long envp)
{
	const char *loader = hp_channel ? HP_LOADER_PATH : "/proc/thread-self/exe";
	struct hp_thread *thread = hp_thread();
	struct hp_actions *actions = thread->actions;
	bool keeps = thread->sigsys_pending;
	long result;

	hp_actions_before_exec(actions);
	if (keeps)
		hp_sigsys_keep(thread);
	result = hp_syscall_interruptible(__NR_execve, (long)loader, (long)argv, (long)envp, 0, 0, 0);
	if (keeps)
		hp_sigsys_take(thread);
	hp_actions_after_failed_exec(actions);
	return result == HP_RESTART ? HP_AGAIN : result;
}

static long run(struct plan *plan, unsigned long argv, long count, unsigned long envp)
{
	struct hp_thread *thread = hp_thread();
	struct hp_info info = {
		.path = plan->path, .name = plan->name, .fd = plan->fd, .sigsys_blocked = thread->sigsys_blocked
	};
	const char *small[SMALL], **words = small;
	unsigned long bytes = ((unsigned long)count + plan->fronts + 2) * sizeof *words;
	unsigned at = 0;
	long result;

	if (!hp_info_write(plan->info, sizeof plan->info, &info))
		return -ENAMETOOLONG;
	if (bytes > sizeof small) {
		result = hp_syscall6(__NR_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				     0);
		if (result < 0 && result > -4096)
			return -ENOMEM;
		words = (const char **)result;
		/* after a vfork child's exec this mapping is left to its parent */
		thread->exec_scratch = words;
		thread->exec_scratch_bytes = bytes;
	}
	words[at++] = plan->info;
	for (unsigned i = plan->fronts; i > 0; i--)
		words[at++] = plan->front[i - 1];
	if (count > 1 && hp_user_read(words + at, (const void *)(argv + 8), (size_t)(count - 1) * sizeof *words))
		result = -EFAULT;
	else {
		words[at + (count > 1 ? (unsigned)count - 1 : 0)] = NULL;
		result = enter_loader(words, envp);
	}
	if (words != small) {
		hp_syscall2(__NR_munmap, (long)words, (long)bytes);
		thread->exec_scratch = NULL;
	}
	return result;
}

static long execute(int dirfd, const char *user_path, unsigned long argv, unsigned long envp, int flags)
{
	char path[HP_PATH_MAX];
	struct plan plan = { .fd = -1 };
	long failed = read_text(path, user_path), count;

	hp_count_calls();
	if (failed)
		return failed;
	if (!path[0] && !(flags & AT_EMPTY_PATH))
		return -ENOENT;
	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	count = count_words(argv);
	failed = name_it(&plan, path, dirfd);
	if (failed)
		return failed;
	plan.front[plan.fronts++] = "";
	if (count > 0) {
		unsigned long word;

		if (hp_user_read(&word, (const void *)argv, sizeof word))
			return -EFAULT;
		plan.front[0] = (const char *)word;
	}
	failed = follow(&plan, path, dirfd, flags);
	if (!failed && count < 0)
		failed = count; /* the kernel, too, looks for the file first */
	if (!failed && plan.fd >= 0)
		hp_syscall3(__NR_fcntl, plan.fd, F_SETFD, 0); /* the loader closes it */
	if (!failed)
		failed = run(&plan, argv, count, envp);
	if (plan.fd >= 0)
		hp_syscall1(__NR_close, plan.fd);
	return failed;
}

long hp_call_execve(struct hp_call *call)
{
	return execute(AT_FDCWD, (const char *)call->arg[0], (unsigned long)call->arg[1], (unsigned long)call->arg[2],
		       0);
}

long hp_call_execveat(struct hp_call *call)
{
	return execute((int)call->arg[0], (const char *)call->arg[1], (unsigned long)call->arg[2],
		       (unsigned long)call->arg[3], (int)call->arg[4]);
}
