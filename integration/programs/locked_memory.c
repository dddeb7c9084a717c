/* mlock, mlock2, mlockall, munlockall under RLIMIT_MEMLOCK: what is locked counts, the limit is the program's, what is mapped later follows. */
#include <sys/resource.h>
#include "sig.h"

static void set_limit(long bytes)
{
	struct rlimit limit = { (rlim_t)bytes, 8 << 20 };
	MUST(setrlimit(RLIMIT_MEMLOCK, &limit));
}

/* KiB, from /proc/self/status. */
static long status(const char *key)
{
	char line[128];
	long value = -1;
	FILE *file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			value = atol(line + strlen(key));
	if (file)
		fclose(file);
	return value;
}

static void single(void)
{
	char *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	set_limit(256 << 10);
	TRY(mlock(at, 128 << 10));
	printf("%ld KiB\n", status("VmLck:"));
	TRY(mlock(at + 100, 128 << 10)); /* a page more */
	printf("%ld KiB\n", status("VmLck:"));
	TRY(mlock(at + (128 << 10), 256 << 10));
	TRY(mlock2(at + (256 << 10), 4096, MLOCK_ONFAULT));
	TRY(mlock2(at, 4096, 8));
	TRY(mlock(NULL, 4096));
	TRY(munlock(at, 1 << 20));
	printf("%ld KiB\n", status("VmLck:"));
	munmap(at, 1 << 20);
}

static void all(void)
{
	set_limit(64 << 10);
	TRY(mlockall(MCL_CURRENT)); /* far too little */
	printf("%ld KiB\n", status("VmLck:"));
	set_limit(8 << 20);
	TRY(mlockall(MCL_CURRENT));
	long locked = status("VmLck:");
	YES(locked > 500 && locked < 8192);
	char *later = mmap(NULL, 256 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	YES(status("VmLck:") == locked);
	TRY(mlockall(MCL_FUTURE));
	later = mmap(NULL, 256 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	YES(status("VmLck:") == locked + 256);
	YES(later != MAP_FAILED);
	later = mmap(NULL, 9 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("beyond the limit: %s\n", later == MAP_FAILED ? strerrorname_np(errno) : "ok");
	TRY(mlockall(MCL_CURRENT));
	later = mmap(NULL, 256 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	YES(status("VmLck:") == locked + 512); /* not the last: it came after */
	TRY(munlockall());
	printf("%ld KiB\n", status("VmLck:"));
	TRY(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	YES(status("VmLck:") > locked);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		printf("a child: %ld KiB\n", status("VmLck:"));
		_exit(0);
	}
	show_wait("child", pid);
	TRY(munlockall());
	TRY(mlockall(0));
	TRY(mlockall(MCL_ONFAULT));
	TRY(mlockall(64));
	set_limit(0);
	TRY(mlockall(MCL_CURRENT));
	TRY(mlock(&pid, 1));
}

int main(void)
{
	single();
	all();
	return 0;
}
