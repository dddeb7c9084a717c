/* Which of a file's times each call changes: mtime and ctime, to the nanosecond, and none of a failed one. */
#include "say.h"

static struct stat before;

static void start(const char *name)
{
	MUST(lstat(name, &before));
	usleep(12000);
}

static int later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static void told(const char *what, const char *name)
{
	struct stat st;
	MUST(lstat(name, &st));
	printf("%s:%s%s\n", what, later(st.st_mtim, before.st_mtim) ? " mtime" : "",
	       later(st.st_ctim, before.st_ctim) ? " ctime" : "");
}

#define CHANGES(name, expression) \
	do { \
		start(name); \
		errno = 0; \
		int result_ = (expression) < 0; \
		told(#expression, name); \
		if (result_) \
			printf("  %s\n", strerrorname_np(errno)); \
	} while (0)

int main(void)
{
	char bytes[10];
	int fd = MUST(open("small.txt", O_RDWR)), append = MUST(open("lines.txt", O_WRONLY | O_APPEND));
	CHANGES("small.txt", write(fd, "x", 1));
	CHANGES("small.txt", write(fd, "", 0));
	CHANGES("small.txt", pread(fd, bytes, 5, 0));
	CHANGES("lines.txt", write(append, "x", 1));
	CHANGES("small.txt", ftruncate(fd, 5));
	CHANGES("small.txt", ftruncate(fd, 5));
	CHANGES("small.txt", truncate("small.txt", 9));
	CHANGES("small.txt", truncate("small.txt", 9));
	CHANGES("small.txt", chmod("small.txt", 0600));
	CHANGES("small.txt", chmod("small.txt", 0600));
	CHANGES("small.txt", chown("small.txt", getuid(), getgid()));
	CHANGES("small.txt", chown("small.txt", -1, -1));
	CHANGES("small.txt", chown("small.txt", 0, 0));
	CHANGES("small.txt", link("small.txt", "other"));
	CHANGES("small.txt", unlink("other"));
	CHANGES("small.txt", rename("small.txt", "small.txt"));
	CHANGES("small.txt", open("small.txt", O_WRONLY));
	CHANGES("small.txt", open("small.txt", O_WRONLY | O_TRUNC));
	CHANGES("empty", open("empty", O_WRONLY | O_TRUNC));
	CHANGES("readonly.txt", open("readonly.txt", O_WRONLY | O_TRUNC));
	CHANGES("lines.txt", utimensat(AT_FDCWD, "lines.txt", NULL, 0));
	CHANGES("big.bin", fallocate(MUST(open("big.bin", O_RDWR)), 0, 0, 4096));
	CHANGES("link", symlink("x", "link"));
	start("hard1");
	MUST(rename("hard1", "renamed"));
	told("rename", "renamed");
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, MUST(open("big.bin", O_RDWR)), 0);
	start("big.bin");
	map[100] = 'm';
	MUST(msync(map, 4096, MS_SYNC));
	told("mapped and synced", "big.bin");
	return 0;
}
