/* A program that dies by a signal; children that die by others. */
#include <sys/resource.h>
#include "say.h"

int main(void)
{
	struct rlimit none = { 0, 0 };
	MUST(setrlimit(RLIMIT_CORE, &none));
	int numbers[] = { SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS, SIGSYS, SIGTERM, SIGKILL, SIGRTMIN + 3 };
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		pid_t pid = MUST(fork());
		if (pid == 0) {
			raise(numbers[i]);
			_exit(0);
		}
		int status;
		MUST(waitpid(pid, &status, 0));
		printf("%d\n", WIFSIGNALED(status) && WTERMSIG(status) == numbers[i]);
	}
	pid_t pid = MUST(fork());
	if (pid == 0)
		*(volatile int *)8 = 1;
	show_wait("bad address", pid);
	put("before", "written before death\n");
	return raise(SIGKILL);
}
