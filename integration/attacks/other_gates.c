/* Other ways into the kernel: int 0x80, x32 numbers, vsyscall, the dispatcher switched off. */
#include <sys/prctl.h>
#include "attack.h"

static long int80(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

int main(int argc, char **argv)
{
	static char low[4096];
	(void)argc;
	char *page =
		mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	strcpy(page, argv[1]);
	IN_CHILD("int 0x80 open", {
		long fd = int80(5, (long)page, 0, 0);
		if (fd >= 0)
			BROKE("opened %s by int 0x80", argv[1]);
		else
			HELD("int 0x80 open: %ld", fd);
	});
	IN_CHILD("int 0x80 getuid", {
		long uid = int80(24, 0, 0, 0);
		printf("int 0x80 getuid: %s\n", uid < 0 ? "refused" : "answered");
	});
	IN_CHILD("x32 open", {
		long fd = syscall(0x40000000 | SYS_open, argv[1], 0, 0);
		if (fd >= 0)
			BROKE("opened %s by an x32 number", argv[1]);
		else
			HELD("x32 open: %s", strerrorname_np(errno));
	});
	IN_CHILD("dispatch off", {
		long off = prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 0, 0, 0, 0);
		printf("dispatch off: %s\n", off < 0 ? strerrorname_np(errno) : "accepted");
		int fd = syscall(SYS_open, argv[1], O_RDONLY);
		if (fd >= 0)
			BROKE("opened %s with the dispatcher off", argv[1]);
		else
			HELD("open with the dispatcher off: %s", strerrorname_np(errno));
	});
	IN_CHILD("vsyscall", {
		long (*vtime)(long *) = (long (*)(long *))0xffffffffff600400;
		printf("vsyscall time: %s\n", vtime(NULL) > 0 ? "answered" : "refused");
	});
	IN_CHILD("unknown numbers", {
		int answered = 0;
		for (long number = 470; number < 700; number++)
			answered += syscall(number, 0, 0, 0, 0, 0, 0) >= 0;
		if (answered)
			BROKE("%d unknown calls were answered", answered);
		else
			HELD("unknown calls");
	});
	(void)low;
	return 0;
}
