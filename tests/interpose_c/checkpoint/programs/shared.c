/* Memory shared between processes: anonymous, memfd with seals, a file without a name. */
#include "again.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <signal.h>

#define MANY (1 << 20)

int main(void)
{
	volatile int *common = mmap(NULL, MANY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int sealed = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC),
	    nameless = open("/tmp/gone", O_RDWR | O_CREAT, 0600);
	int offset = memfd_create("two", 0), again;
	char text[32];
	CHECK(common != MAP_FAILED && sealed >= 0 && nameless >= 0);
	CHECK(write(sealed, "sealed text", 11) == 11 && fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE) == 0);
	CHECK(write(nameless, "no name", 7) == 7 && unlink("/tmp/gone") == 0 && ftruncate(nameless, 100000) == 0);
	CHECK(ftruncate(offset, MANY) == 0);
	volatile int *second = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, offset, 65536);
	again = dup(nameless);
	CHECK(lseek(nameless, 3, SEEK_SET) == 3 && pwrite(offset, "front", 5, 0) == 5);
	common[5000] = 77;
	second[10] = 88;
	pid_t child = fork();
	if (child == 0) {
		for (;;) { /* counts up in turn with the parent */
			if (common[0] % 2 == 1)
				common[0]++;
			second[11] = common[0];
		}
	}
	close(offset);
	linger();
	for (int turn = 0; turn < 1000; turn++) {
		int value = common[0];
		CHECK(value % 2 == 0);
		common[0] = value + 1;
		while (common[0] == value + 1)
			usleep(10);
	}
	CHECK(common[5000] == 77 && second[10] == 88 && common[0] == 2000);
	usleep(20000);
	CHECK(second[11] == 2000);
	CHECK(pread(sealed, text, 11, 0) == 11 && !memcmp(text, "sealed text", 11) && write(sealed, "x", 1) < 0);
	CHECK(fcntl(sealed, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_WRITE));
	CHECK(lseek(again, 0, SEEK_CUR) == 3 && read(again, text, 4) == 4 && !memcmp(text, "name", 4));
	CHECK(lseek(nameless, 0, SEEK_CUR) == 7 && lseek(nameless, 0, SEEK_END) == 100000);
	kill(child, SIGKILL);
	CHECK(waitpid(child, NULL, 0) == child);
	return done();
}
