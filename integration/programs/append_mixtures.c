/* Appending descriptors beside others of the same file: truncation, positions, two processes. */
#include "say.h"

int main(void)
{
	char bytes[64] = "";
	int plain = MUST(open("log", O_RDWR | O_CREAT, 0644)), a = MUST(open("log", O_RDWR | O_APPEND)), b;
	VALUE(write(plain, "0123456789", 10));
	VALUE(write(a, "AAA", 3));
	VALUE(lseek(a, 0, SEEK_CUR));
	VALUE(pwrite(plain, "xx", 2, 11));
	VALUE(pwrite(a, "BB", 2, 0));
	VALUE(lseek(a, 2, SEEK_SET));
	VALUE(read(a, bytes, 3));
	VALUE(write(a, "CC", 2));
	VALUE(lseek(a, 0, SEEK_CUR));
	show("log");
	TRY(ftruncate(a, 5));
	VALUE(write(a, "after cut", 9));
	show("log");
	VALUE(pwrite(plain, "far", 3, 30));
	VALUE(write(a, "end", 3));
	VALUE(lseek(plain, 0, SEEK_END));
	b = MUST(open("log", O_WRONLY | O_APPEND | O_TRUNC));
	VALUE(write(a, "fresh ", 6));
	VALUE(write(b, "start\n", 6));
	show("log");
	for (int child = 0; child < 2; child++)
		if (MUST(fork()) == 0) {
			int mine = child ? a : MUST(open("log", O_WRONLY | O_APPEND));
			for (int i = 0; i < 200; i++)
				MUST(write(mine, child ? "first line\n" : "second one\n", 11));
			_exit(0);
		}
	for (int child = 0; child < 2; child++)
		wait(NULL);
	struct stat st;
	MUST(stat("log", &st));
	printf("size %ld\n", (long)st.st_size);
	MUST(fsync(a));
	FILE *lines = fopen("log", "r");
	int first = 0, second = 0, odd = 0;
	while (fgets(bytes, sizeof(bytes), lines))
		*(!strcmp(bytes, "first line\n") ? &first : !strcmp(bytes, "second one\n") ? &second : &odd) += 1;
	printf("%d %d %d\n", first, second, odd);
	MUST(truncate("log", 12));
	return 0;
}
