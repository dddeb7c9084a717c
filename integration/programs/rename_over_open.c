/* A file that is renamed over stays readable and writable for those who have it open. */
#include "say.h"

int main(void)
{
	char bytes[16];
	struct stat st;
	int old = MUST(open("small.txt", O_RDWR));
	int big = MUST(open("big.bin", O_RDONLY));
	put("new.txt", "new content\n");
	TRY(rename("new.txt", "small.txt"));
	VALUE(read(old, bytes, 5));
	printf("%.5s\n", bytes);
	VALUE(pwrite(old, "OLD", 3, 0));
	MUST(fstat(old, &st));
	printf("links %ld\n", (long)st.st_nlink);
	show("small.txt");
	put("tiny", "tiny\n");
	TRY(rename("tiny", "big.bin"));
	VALUE(pread(big, bytes, 16, 2000000));
	VALUE(pread(big, bytes, 16, 0));
	MUST(fstat(big, &st));
	printf("size %ld links %ld\n", (long)st.st_size, (long)st.st_nlink);
	show("big.bin");
	TRY(rename("lines.txt", "moved.txt"));
	int moved = MUST(open("moved.txt", O_RDWR));
	TRY(rename("moved.txt", "again.txt"));
	VALUE(write(moved, "written after", 13));
	show("again.txt");
	return 0;
}
