/* The devices programs count on. */
#include "say.h"

int main(void)
{
	char bytes[64];
	struct stat st;
	memset(bytes, 1, sizeof(bytes));
	int null = TRY(open("/dev/null", O_RDWR));
	VALUE(write(null, bytes, 64));
	VALUE(read(null, bytes, 64));
	int zero = TRY(open("/dev/zero", O_RDONLY));
	VALUE(read(zero, bytes, 64));
	YES(bytes[0] == 0 && bytes[63] == 0);
	int full = TRY(open("/dev/full", O_WRONLY));
	VALUE(write(full, bytes, 1));
	VALUE(read(MUST(open("/dev/urandom", O_RDONLY)), bytes, 64));
	VALUE(read(MUST(open("/dev/random", O_RDONLY | O_NONBLOCK)), bytes, 1));
	MUST(stat("/dev/null", &st));
	YES(S_ISCHR(st.st_mode));
	printf("%lx %o\n", (long)st.st_rdev, st.st_mode & 07777);
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	YES(map != MAP_FAILED && map[100] == 0);
	TRY(open("/dev/tty", O_RDWR));
	TRY(access("/dev/ptmx", F_OK));
	TRY(access("/dev/fd/0", F_OK));
	TRY(access("/dev/stdout", F_OK));
	TRY(open("/dev/mem", O_RDONLY) < 0 ? 0 : -1);
	TRY(open("/dev/absent", O_RDONLY));
	return system(
		"echo to null > /dev/null; echo to stdout > /dev/stdout; cat < /dev/null; head -c 5 /dev/zero | wc -c");
}
