/* memfd_create: size, seals, maps, exec, sendfile from and to files of home. */
#include <sys/sendfile.h>
#include "say.h"

extern char **environ;

int main(void)
{
	char bytes[16];
	struct stat st;
	int m = TRY(memfd_create("scratch", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	TRY(ftruncate(m, 8192));
	VALUE(pwrite(m, "in memory", 9, 4096));
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
	printf("%.9s\n", map + 4096);
	munmap(map, 8192);
	TRY(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE));
	VALUE(pwrite(m, "x", 1, 0));
	TRY(ftruncate(m, 0));
	MUST(fstat(m, &st));
	printf("links %ld size %ld\n", (long)st.st_nlink, (long)st.st_size);
	int n = MUST(memfd_create("copy", 0));
	VALUE(sendfile(n, MUST(open("small.txt", O_RDONLY)), NULL, 100));
	VALUE(pread(n, bytes, 5, 0));
	printf("%.5s\n", bytes);
	int out = MUST(open("from-memory", O_WRONLY | O_CREAT, 0644));
	off_t from = 0;
	VALUE(sendfile(out, n, &from, 100));
	show("from-memory");
	int program = MUST(memfd_create("program", MFD_CLOEXEC)), echo = MUST(open("/bin/echo", O_RDONLY));
	while (sendfile(program, echo, NULL, 1 << 20) > 0)
		;
	pid_t pid = MUST(fork());
	if (pid == 0) {
		char *argv[] = { "echo", "from a memfd", NULL };
		fexecve(program, argv, environ);
		_exit(errno == ENOSYS ? 50 : 51);
	}
	show_wait("memfd program", pid);
	return 0;
}
