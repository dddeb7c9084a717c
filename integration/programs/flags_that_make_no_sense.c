/* unshare, clone and execveat say first what is wrong with their flags, then what may not be. */
#include <linux/sched.h>

#include "say.h"

int unshare(int flags);

int main(void)
{
	char *words[] = { "nothing", NULL };

	TRY(unshare(-1));
	TRY(unshare(1));
	TRY(unshare(CLONE_VFORK));
	TRY(unshare(0));
	TRY(unshare(CLONE_FILES));
	TRY(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
	TRY(syscall(SYS_clone, CLONE_FS | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	TRY(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
	TRY(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0));
	TRY(syscall(SYS_execveat, AT_FDCWD, "", words, words + 1, AT_EMPTY_PATH));
	TRY(syscall(SYS_execveat, -1, "", words, words + 1, AT_EMPTY_PATH));
	TRY(syscall(SYS_execveat, AT_FDCWD, "", words, words + 1, 0));
	TRY(syscall(SYS_execveat, AT_FDCWD, "small.txt", words, words + 1, -1));
	return 0;
}
