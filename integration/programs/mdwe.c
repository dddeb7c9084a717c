/* Memory that is never writable and executable at once (PR_SET_MDWE), over threads, fork and exec. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include "say.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif

int main(int argc, char **argv)
{
	struct stat st;
	int good = 0;
	if (argc > 1)
		printf("again: %d\n", prctl(PR_GET_MDWE, 0, 0, 0, 0));
	else
		printf("set: %d\n", prctl(PR_SET_MDWE, 1, 0, 0, 0));
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("executable later: %d\n", mprotect(page, 4096, PROT_READ | PROT_EXEC));
	for (int i = 0; i < 200; i++) {
		good += stat("small.txt", &st) == 0;
		good += stat("none", &st) != 0;
		int fd = open("dir/sub/deep.txt", O_RDONLY);
		good += close(fd) == 0 || errno == EBADF;
	}
	printf("%d\n", good);
	fflush(stdout);
	if (argc == 1) {
		pid_t pid = fork();
		if (pid == 0)
			execl("/proc/self/exe", argv[0], "again", NULL);
		show_wait("child", pid);
	}
	return 0;
}
