/* Pipes: end of file, EPIPE and SIGPIPE, atomic small writes, O_NONBLOCK, capacity. */
#include "say.h"

int main(void)
{
	char bytes[64];
	int p[2];
	TRY(pipe(p));
	VALUE(write(p[1], "hello", 5));
	VALUE(read(p[0], bytes, 64));
	close(p[1]);
	VALUE(read(p[0], bytes, 64));
	TRY(pipe2(p, O_NONBLOCK | O_CLOEXEC));
	VALUE(read(p[0], bytes, 1));
	VALUE(fcntl(p[0], F_GETPIPE_SZ));
	VALUE(lseek(p[0], 0, SEEK_SET));
	long room = 0;
	static char block[4096];
	while (write(p[1], block, sizeof(block)) > 0)
		room += sizeof(block);
	printf("%ld until %s\n", room, strerrorname_np(errno));
	close(p[0]);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		write(p[1], "x", 1);
		_exit(0);
	}
	show_wait("writer", pid);
	signal(SIGPIPE, SIG_IGN);
	VALUE(write(p[1], "x", 1));
	MUST(pipe(p));
	for (int child = 0; child < 4; child++)
		if (MUST(fork()) == 0) {
			memset(block, 'a' + child, 512);
			for (int i = 0; i < 50; i++)
				if (write(p[1], block, 512) != 512)
					_exit(1);
			_exit(0);
		}
	close(p[1]);
	int torn = 0, total = 0;
	FILE *in = fdopen(p[0], "r");
	while (fread(block, 512, 1, in) == 1) {
		total++;
		for (int i = 1; i < 512; i++)
			torn += block[i] != block[0];
	}
	printf("%d blocks, %d torn\n", total, torn);
	FILE *command = popen("tr a-z A-Z < small.txt | sort -r", "r");
	while (fgets(bytes, sizeof(bytes), command))
		fputs(bytes, stdout);
	printf("%d\n", pclose(command));
	return 0;
}
