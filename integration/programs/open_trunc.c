/* O_TRUNC empties a file at once, also for those that have it open already. */
#include "say.h"

int main(void)
{
	char bytes[16];
	struct stat st;
	int before = MUST(open("lines.txt", O_RDONLY));
	VALUE(read(before, bytes, 10));
	int fd = TRY(open("lines.txt", O_WRONLY | O_TRUNC));
	MUST(fstat(before, &st));
	printf("size now %ld\n", (long)st.st_size);
	VALUE(read(before, bytes, 10));
	VALUE(write(fd, "short\n", 6));
	VALUE(pread(before, bytes, 16, 0));
	TRY(open("big.bin", O_RDONLY | O_TRUNC) >= 0 ? 0 : -1);
	TRY(stat("big.bin", &st));
	printf("big.bin %ld\n", (long)st.st_size);
	TRY(open("readonly.txt", O_WRONLY | O_TRUNC));
	TRY(open("dir", O_WRONLY | O_TRUNC));
	TRY(open("created", O_WRONLY | O_CREAT | O_TRUNC, 0640));
	MUST(stat("created", &st));
	printf("%o\n", st.st_mode & 07777);
	return 0;
}
