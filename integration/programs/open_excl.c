/* O_CREAT|O_EXCL: the first wins, everybody else gets EEXIST, dangling symlinks included. */
#include "say.h"

int main(void)
{
	TRY(open("lock", O_WRONLY | O_CREAT | O_EXCL, 0600));
	TRY(open("lock", O_WRONLY | O_CREAT | O_EXCL, 0600));
	TRY(open("small.txt", O_WRONLY | O_CREAT | O_EXCL, 0600));
	TRY(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0600));
	TRY(open("dir", O_WRONLY | O_CREAT | O_EXCL, 0600));
	TRY(unlink("lock"));
	int wins = 0;
	for (int child = 0; child < 8; child++) {
		pid_t pid = MUST(fork());
		if (pid == 0)
			_exit(open("race", O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0);
	}
	for (int child = 0; child < 8; child++) {
		int status;
		MUST(wait(&status));
		wins += WEXITSTATUS(status);
	}
	printf("winners: %d\n", wins);
	return 0;
}
