/* Anonymous memory: private, shared with children, fixed, guarded, given back, grown by brk. */
#include "say.h"

int main(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *private_ = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		*shared = 42;
		*private_ = 42;
		_exit(0);
	}
	show_wait("child", pid);
	printf("%d %d\n", *shared, *private_);
	char *room = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *fixed = mmap(room + 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	YES(fixed == room + 4096);
	*fixed = 1;
	YES(mmap(fixed, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED &&
	    errno == EEXIST);
	int fd = MUST(open("small.txt", O_RDONLY));
	char *file = mmap(room + 8192, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	printf("%.5s\n", file);
	TRY(madvise(fixed, 4096, MADV_DONTNEED));
	printf("%d\n", *fixed);
	char *end = sbrk(0);
	YES(sbrk(1 << 20) == end);
	memset(end, 1, 1 << 20);
	TRY(brk(end));
	TRY(mincore(fixed, 4096, (unsigned char *)private_));
	TRY(mlock(fixed, 4096));
	return 0;
}
