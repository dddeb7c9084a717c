/* A part of mixed_tree: reads, writes, and takes %gs in the middle of it.
 * args: plain
 */
#include <asm/prctl.h>
#include <ctype.h>
#include <signal.h>
#include <sys/syscall.h>
#include "say.h"

int main(int argc, char **argv)
{
	static unsigned long area = 1;
	int byte, upper = argc > 1 && strcmp(argv[1], "upper") == 0;
	if (upper)
		syscall(SYS_arch_prctl, ARCH_SET_GS, &area);
	if (argc > 1 && strcmp(argv[1], "tell") == 0) {
		syscall(SYS_arch_prctl, ARCH_SET_GS, &area);
		kill(getppid(), SIGUSR1);
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "exec") == 0) {
		syscall(SYS_arch_prctl, ARCH_SET_GS, &area);
		execl("/bin/sh", "sh", "-c", "wc -l < small.txt; ls | wc -l", NULL);
	}
	while ((byte = getchar()) != EOF)
		putchar(upper ? toupper(byte) : byte);
	return 0;
}
