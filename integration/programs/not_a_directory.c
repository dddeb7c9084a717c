/* ENOTDIR and EISDIR: a file where a directory is wanted, and the other way round. */
#include "say.h"

int main(void)
{
	struct stat st;
	char bytes[10];
	TRY(stat("small.txt/a", &st));
	TRY(stat("link/a", &st));
	TRY(lstat("dangling/a", &st));
	TRY(open("small.txt/a", O_CREAT | O_WRONLY, 0644));
	TRY(open("small.txt", O_DIRECTORY));
	TRY(open("link", O_DIRECTORY));
	TRY(open("dirlink", O_DIRECTORY));
	TRY(open("dirlink", O_DIRECTORY | O_NOFOLLOW));
	TRY(open("link", O_NOFOLLOW));
	TRY(open("dir", O_WRONLY));
	TRY(open("dir", O_RDWR));
	TRY(open("dir", O_RDONLY | O_TRUNC));
	TRY(open("new", O_CREAT | O_DIRECTORY, 0644));
	TRY(open("dir", O_CREAT | O_DIRECTORY, 0644));
	int dir = MUST(open("dir", O_RDONLY)), file = MUST(open("small.txt", O_RDWR));
	VALUE(read(dir, bytes, 10));
	VALUE(write(dir, bytes, 10));
	VALUE(pread(dir, bytes, 10, 0));
	TRY(ftruncate(dir, 0));
	TRY(truncate("dir", 0));
	TRY(fchdir(file));
	TRY(openat(file, "a", O_RDONLY));
	TRY(fstatat(file, "a", &st, 0));
	TRY(mkdirat(file, "a", 0755));
	TRY(unlinkat(file, "a", 0));
	TRY(openat(-1, "a", O_RDONLY));
	TRY(openat(-1, "/etc/passwd", O_RDONLY));
	TRY(openat(file, "/etc/passwd", O_RDONLY));
	TRY(renameat(file, "a", dir, "a"));
	TRY(symlinkat("x", file, "a"));
	TRY(mkdir("small.txt/new", 0755));
	TRY(rmdir("small.txt"));
	TRY(rmdir("link"));
	TRY(unlink("dir"));
	TRY(chdir("small.txt"));
	TRY(fsync(dir));
	TRY(fdatasync(dir));
	TRY(mmap(NULL, 4096, PROT_READ, MAP_SHARED, dir, 0) == MAP_FAILED ? -1 : 0);
	VALUE(syscall(SYS_getdents64, file, bytes, 10));
	TRY(execl("dir", "x", NULL));
	TRY(execl("small.txt/x", "x", NULL));
	TRY(execl("small.txt", "x", NULL));
	return 0;
}
