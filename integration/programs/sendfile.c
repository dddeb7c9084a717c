/* sendfile from a file to a file, a pipe and a socket. */
#include <sys/sendfile.h>
#include <sys/socket.h>
#include "say.h"

int main(void)
{
	int in = MUST(open("big.bin", O_RDONLY)), out = MUST(open("copy", O_RDWR | O_CREAT, 0644));
	off_t from = 1 << 20;
	VALUE(sendfile(out, in, &from, 100000));
	printf("%ld\n", (long)from);
	VALUE(lseek(in, 0, SEEK_CUR));
	VALUE(sendfile(out, in, NULL, 4 << 20));
	VALUE(lseek(in, 0, SEEK_CUR));
	printf("%016lx\n", file_sum("copy"));
	int p[2], s[2];
	static char bytes[65536];
	MUST(pipe(p));
	from = 2 << 20;
	VALUE(sendfile(p[1], in, &from, 60000));
	VALUE(read(p[0], bytes, sizeof(bytes)));
	printf("%016lx\n", fnv(FNV_START, bytes, 60000));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	VALUE(sendfile(s[0], MUST(open("small.txt", O_RDONLY)), NULL, 100));
	VALUE(read(s[1], bytes, sizeof(bytes)));
	VALUE(sendfile(out, p[0], NULL, 10));
	VALUE(sendfile(MUST(open("small.txt", O_RDONLY)), in, NULL, 10));
	from = -1;
	VALUE(sendfile(out, in, &from, 10));
	from = 100 << 20;
	VALUE(sendfile(out, in, &from, 10));
	return 0;
}
