/* Unlinked but open: readable, writable, growing, mappable, and gone at the last close. */
#include "say.h"

int main(void)
{
	char bytes[32];
	struct stat st;
	int s = MUST(open("small.txt", O_RDWR));
	int b = MUST(open("big.bin", O_RDONLY));
	TRY(unlink("small.txt"));
	TRY(unlink("big.bin"));
	VALUE(read(s, bytes, 32));
	VALUE(write(s, "still here\n", 11));
	VALUE(pread(s, bytes, 32, 10));
	TRY(ftruncate(s, 100));
	MUST(fstat(s, &st));
	printf("links %ld size %ld\n", (long)st.st_nlink, (long)st.st_size);
	VALUE(pread(b, bytes, 32, 3000000));
	void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, b, 4096 * 500);
	YES(map != MAP_FAILED);
	printf("%016lx\n", fnv(FNV_START, map, 4096));
	TRY(access("small.txt", F_OK));
	put("small.txt", "another file\n");
	VALUE(pread(s, bytes, 5, 0));
	printf("%.5s\n", bytes);
	show("small.txt");
	int fresh = MUST(open("fresh", O_RDWR | O_CREAT, 0600));
	MUST(unlink("fresh"));
	VALUE(write(fresh, "scratch", 7));
	VALUE(pread(fresh, bytes, 7, 0));
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(pread(fresh, bytes, 32, 0));
	show_wait("child read", pid);
	int d = MUST(open("emptydir", O_RDONLY));
	TRY(rmdir("emptydir"));
	TRY(openat(d, "x", O_CREAT | O_WRONLY, 0600));
	TRY(fstat(d, &st));
	printf("links %ld\n", (long)st.st_nlink);
	return 0;
}
