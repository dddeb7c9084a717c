/* What has lost its name, or rights that whoever has it open still has: memory files, files, FIFOs, a directory. */
#include "again.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SEAL_FUTURE_WRITE 0x10 /* younger than the C library's headers */

int main(void)
{
	char found[100];
	struct stat about;
	int sealed = memfd_create("sealed", MFD_ALLOW_SEALING), shut = memfd_create("shut", 0);
	CHECK(ftruncate(sealed, 8192) == 0);
	char *written = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, sealed, 0);
	CHECK(written != MAP_FAILED && fcntl(sealed, F_ADD_SEALS, SEAL_FUTURE_WRITE | F_SEAL_GROW) == 0);
	CHECK(write(shut, "abc", 3) == 3 && fchmod(shut, 0) == 0);
	int file = open("/tmp/file", O_CREAT | O_RDWR, 0400), reader = open("/tmp/file", O_RDONLY);
	CHECK(file >= 0 && write(file, "def", 3) == 3 && unlink("/tmp/file") == 0);
	int named = open("/tmp/named", O_CREAT | O_RDWR, 0600);
	CHECK(named >= 0 && write(named, "ghi", 3) == 3 && chmod("/tmp/named", 0) == 0);
	CHECK(mkfifo("/tmp/fifo", 0640) == 0);
	int fifo = open("/tmp/fifo", O_RDWR);
	CHECK(fifo >= 0 && write(fifo, "jkl", 3) == 3 && unlink("/tmp/fifo") == 0);
	CHECK(mkdir("/tmp/directory", 0700) == 0 && chdir("/tmp/directory") == 0 && rmdir("/tmp/directory") == 0);

	linger();

	strcpy(written, "after");
	CHECK(pread(sealed, found, 5, 0) == 5 && !memcmp(found, "after", 5));
	CHECK(pwrite(sealed, "x", 1, 0) < 0 && errno == EPERM && ftruncate(sealed, 9000) < 0 && errno == EPERM);
	CHECK(fstat(shut, &about) == 0 && (about.st_mode & 0777) == 0 && pread(shut, found, 9, 0) == 3);
	CHECK(pwrite(file, "D", 1, 0) == 1 && read(reader, found, 9) == 3 && !memcmp(found, "Def", 3));
	CHECK(write(reader, "x", 1) < 0 && fstat(file, &about) == 0 && (about.st_mode & 0777) == 0400);
	CHECK(pread(named, found, 9, 0) == 3 && pwrite(named, "G", 1, 0) == 1);
	CHECK(stat("/tmp/named", &about) == 0 && (about.st_mode & 0777) == 0);
	CHECK(read(fifo, found, 9) == 3 && fstat(fifo, &about) == 0 && (about.st_mode & 0777) == 0640);
	CHECK(access("/tmp/fifo", F_OK) < 0 && getcwd(found, sizeof found) == NULL && errno == ENOENT);
	return done();
}
