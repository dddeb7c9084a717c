/* A static program sees home as a dynamic one does.
 * link: -static
 */
#include <dirent.h>
#include "say.h"

int main(void)
{
	int count = 0;
	show("small.txt");
	printf("%016lx\n", file_sum("big.bin"));
	DIR *dir = opendir("dir");
	while (readdir(dir))
		count++;
	closedir(dir);
	printf("%d\n", count);
	put("made", "by a static program\n");
	pid_t pid = MUST(fork());
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "cat made; exit 6", NULL);
		_exit(98);
	}
	show_wait("sh", pid);
	TRY(open("absent", O_RDONLY));
	return 8;
}
