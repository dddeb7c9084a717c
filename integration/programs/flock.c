/* flock belongs to the open file: shared by dup and fork, refused to other opens, gone at the last close. */
#include <sys/file.h>
#include "say.h"

int main(void)
{
	int a = MUST(open("small.txt", O_RDONLY)), b = MUST(open("small.txt", O_RDWR));
	TRY(flock(a, LOCK_EX | LOCK_NB));
	TRY(flock(b, LOCK_EX | LOCK_NB));
	TRY(flock(b, LOCK_SH | LOCK_NB));
	int two = MUST(dup(a));
	TRY(flock(two, LOCK_EX | LOCK_NB));
	TRY(flock(a, LOCK_SH | LOCK_NB));
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(b, LOCK_EX | LOCK_NB));
	close(a);
	TRY(flock(b, LOCK_EX | LOCK_NB));
	close(two);
	TRY(flock(b, LOCK_EX | LOCK_NB));
	int gate[2];
	MUST(pipe(gate));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		int c = MUST(open("small.txt", O_RDONLY));
		printf("child waits\n");
		MUST(write(gate[1], "x", 1));
		MUST(flock(c, LOCK_EX));
		printf("child has it\n");
		_exit(0);
	}
	char byte;
	MUST(read(gate[0], &byte, 1));
	usleep(50000);
	printf("parent lets go\n");
	fflush(stdout);
	/* The child holds a copy of b: only an explicit unlock releases it. */
	MUST(flock(b, LOCK_UN));
	show_wait("child", pid);
	TRY(flock(b, LOCK_EX | LOCK_NB));
	TRY(flock(99, LOCK_EX));
	TRY(flock(b, 77));
	int d = MUST(open("dir", O_RDONLY));
	TRY(flock(d, LOCK_EX | LOCK_NB));
	return 0;
}
