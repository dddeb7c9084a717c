/* sendfile, splice and copy_file_range move their bytes before the new position turns out not to be writable. */
#include <sys/sendfile.h>
#include "say.h"

int main(void)
{
	int in = MUST(open("lines.txt", O_RDONLY)), out = MUST(open("big.bin", O_RDWR)), ends[2];
	int fresh = MUST(open("fresh", O_RDWR | O_CREAT, 0644));
	off_t *zero = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(pipe(ends));
	VALUE(sendfile(fresh, in, zero, 1000));
	VALUE(lseek(fresh, 0, SEEK_CUR));
	VALUE(copy_file_range(in, zero, fresh, NULL, 500, 0));
	VALUE(lseek(fresh, 0, SEEK_CUR));
	VALUE(lseek(in, 0, SEEK_CUR));
	VALUE(copy_file_range(in, NULL, out, zero, 700, 0));
	VALUE(lseek(in, 0, SEEK_CUR));
	MUST(lseek(out, 2000000, SEEK_SET));
	VALUE(sendfile(out, in, zero, 300));
	VALUE(lseek(out, 0, SEEK_CUR));
	TRY(execve("absent", NOWHERE, NULL));
	TRY(execve("notexec.sh", NOWHERE, NULL));
	TRY(execve("dir", NOWHERE, NULL));
	TRY(execve("script.sh", NOWHERE, NULL));
	TRY(linkat(AT_FDCWD, "", AT_FDCWD, "linked", AT_EMPTY_PATH));
	MUST(write(ends[1], "through a pipe", 14));
	int other = MUST(open("small.txt", O_RDWR));
	VALUE(splice(ends[0], NULL, other, zero, 9, 0));
	show("small.txt");
	printf("%016lx %016lx\n", file_sum("fresh"), file_sum("big.bin"));
	return 0;
}
