/* O_APPEND writes at the end wherever the offset is; pwrite too, as Linux does it. */
#include "say.h"

int main(void)
{
	int a = TRY(open("small.txt", O_RDWR | O_APPEND));
	VALUE(lseek(a, 0, SEEK_CUR));
	VALUE(write(a, "one\n", 4));
	VALUE(lseek(a, 0, SEEK_CUR));
	VALUE(lseek(a, 2, SEEK_SET));
	VALUE(write(a, "two\n", 4));
	VALUE(pwrite(a, "three\n", 6, 0));
	VALUE(lseek(a, 0, SEEK_CUR));
	int plain = MUST(open("small.txt", O_RDWR));
	TRY(fcntl(plain, F_SETFL, O_APPEND));
	VALUE(write(plain, "four\n", 5));
	TRY(fcntl(plain, F_SETFL, 0));
	VALUE(lseek(plain, 0, SEEK_SET));
	VALUE(write(plain, "ALPHA", 5));
	show("small.txt");
	FILE *stream = fopen("small.txt", "a+");
	fputs("five\n", stream);
	fclose(stream);
	show("small.txt");
	int big = MUST(open("big.bin", O_WRONLY | O_APPEND));
	VALUE(write(big, "tail", 4));
	VALUE(lseek(big, 0, SEEK_END));
	return 0;
}
