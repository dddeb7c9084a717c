/* Mappings of all kinds and their advice; registers of the vector unit; what is behind the break. */
#include "again.h"
#include <fcntl.h>
#include <immintrin.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define MANY (8 << 20)
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

static int has_flag(void *address, const char *flag)
{
	char line[512], want[16];
	int here = 0, found = 0;
	FILE *maps = fopen("/proc/self/smaps", "r");
	snprintf(want, sizeof want, " %s", flag);
	while (fgets(line, sizeof line, maps)) {
		unsigned long start, end;
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			here = (unsigned long)address >= start && (unsigned long)address < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			found = strstr(line, want) != NULL;
	}
	fclose(maps);
	return found;
}

static int spin_with_registers(void)
{
	double left[4], sum = 0;
	register __m256d kept __asm__("ymm9") = _mm256_set_pd(1.5, 2.5, 3.5, 4.5);
	for (long n = 0; n < 400000000; n++)
		__asm__ volatile("" : "+x"(kept));
	_mm256_storeu_pd(left, kept);
	for (int n = 0; n < 4; n++)
		sum += left[n];
	return sum == 12.0;
}

static sigjmp_buf back;

static void caught(int number)
{
	siglongjmp(back, number);
}

static int may_be_read(const volatile char *at)
{
	if (sigsetjmp(back, 1))
		return 0;
	(void)*at;
	return 1;
}

int main(void)
{
	unsigned char *plain = mmap(NULL, MANY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *none = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *only = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *reserve = mmap(NULL, 1ul << 36, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int file = open("/tmp/mapped", O_RDWR | O_CREAT, 0600);
	char *heap = sbrk(100000);
	setvbuf(stdout, NULL, _IONBF, 0); /* no buffer behind the break */
	CHECK(plain != MAP_FAILED && none != MAP_FAILED && only != MAP_FAILED && reserve != MAP_FAILED &&
	      heap != (void *)-1);
	CHECK(write(file, "from the file", 13) == 13 && ftruncate(file, 8192) == 0);
	char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	char *own = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	close(file);
	for (unsigned n = 0; n < MANY; n += 4096)
		if (n % 3)
			plain[n] = (unsigned char)(n >> 12);
	strcpy(none, "hidden");
	strcpy(only, "read only");
	mprotect(none, 65536, PROT_NONE);
	mprotect(only, 65536, PROT_READ);
	strcpy(heap + 90000, "heap");
	strcpy(own + 5, "own copy");
	strcpy(shared + 4096, "shared");
	CHECK(madvise(plain + 65536, 65536, MADV_DONTFORK) == 0 && madvise(plain + 262144, 65536, MADV_DONTDUMP) == 0);
	CHECK(madvise(plain + 524288, 65536, MADV_WIPEONFORK) == 0 && mlock(plain, 8192) == 0);
	/* pages without rights within a mapping, as glibc has them at the ends of stacks (Linux 6.13; told since 6.15) */
	char *guarded = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(guarded + 4096, "between");
	int has_guards =
		madvise(guarded, 4096, GUARD_INSTALL) == 0 && madvise(guarded + 8192, 16384, GUARD_INSTALL) == 0;
	signal(SIGSEGV, caught);
	linger();
	CHECK(may_be_read(guarded + 4096) && may_be_read(guarded + 24576) && !strcmp(guarded + 4096, "between"));
	CHECK(may_be_read(guarded) == !has_guards && may_be_read(guarded + 20480) == !has_guards);
	CHECK(!has_guards || (madvise(guarded, 65536, GUARD_REMOVE) == 0 && guarded[8192] == 0));
	CHECK(sbrk(0) == heap + 100000);
	for (unsigned n = 0; n < MANY; n += 4096)
		CHECK(plain[n] == (n % 3 ? (unsigned char)(n >> 12) : 0) && plain[n + 1] == 0);
	mprotect(none, 65536, PROT_READ);
	CHECK(!strcmp(none, "hidden") && !strcmp(only, "read only") && !strcmp(heap + 90000, "heap"));
	CHECK(!memcmp(own, "from own copy", 14) && !strcmp(shared + 4096, "shared") &&
	      !memcmp(shared, "from the file", 13));
	CHECK(has_flag(plain + 65536, "dc") && has_flag(plain + 262144, "dd") && has_flag(plain + 524288, "wf") &&
	      has_flag(plain, "lo"));
	CHECK(has_flag(reserve, "nr"));
	CHECK(mprotect(reserve, 4096, PROT_READ | PROT_WRITE) == 0 && *reserve == 0);
	CHECK(madvise(plain, MANY / 2, MADV_DONTNEED) != 0 || plain[16384] == 0);
	CHECK(spin_with_registers());
	return done();
}
