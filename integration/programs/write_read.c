/* What was written is read back at once: through the same descriptor, another, another process, a map. */
#include "say.h"

static char data[300000], back[300000];

int main(void)
{
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = i * 2654435761u >> 24;
	int fd = MUST(open("out", O_RDWR | O_CREAT | O_TRUNC, 0644));
	VALUE(write(fd, data, sizeof(data)));
	VALUE(pread(fd, back, sizeof(back), 0));
	YES(memcmp(data, back, sizeof(data)) == 0);
	int other = MUST(open("out", O_RDONLY));
	VALUE(read(other, back, sizeof(back)));
	YES(memcmp(data, back, sizeof(data)) == 0);
	VALUE(pwrite(fd, "changed", 7, 123456));
	VALUE(pread(other, back, 7, 123456));
	printf("%.7s\n", back);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		MUST(pwrite(other = open("out", O_WRONLY), "by the child", 12, 200000));
		_exit(0);
	}
	show_wait("child", pid);
	VALUE(pread(fd, back, 12, 200000));
	printf("%.12s\n", back);
	char *map = mmap(NULL, sizeof(data), PROT_READ, MAP_SHARED, fd, 0);
	printf("%.7s %.12s\n", map + 123456, map + 200000);
	VALUE(pwrite(fd, "seen", 4, 50000));
	printf("%.4s\n", map + 50000);
	struct stat st;
	VALUE(lseek(fd, 0, SEEK_END));
	VALUE(write(fd, "end", 3));
	MUST(stat("out", &st));
	printf("size %ld\n", (long)st.st_size);
	int big = MUST(open("big.bin", O_RDWR));
	VALUE(pwrite(big, "across a block border", 21, 131072 - 10));
	VALUE(pread(big, back, 100, 131072 - 50));
	printf("%.21s\n", back + 40);
	printf("%016lx\n", file_sum("big.bin"));
	FILE *stream = fopen("lines.txt", "r+");
	fseek(stream, 5000, SEEK_SET);
	fputs("inserted", stream);
	rewind(stream);
	for (int i = 0; fgets(back, sizeof(back), stream); i++)
		if (i == 500 || i == 501)
			fputs(back, stdout);
	fclose(stream);
	return system("sort -r lines.txt | head -2; wc -c < out");
}
