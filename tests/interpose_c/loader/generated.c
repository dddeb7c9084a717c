/* Calls from code made at run time, which is never rewritten: right, and going on however dense the signals. */
#include "tell.h"

static volatile int alarms;
static void count(int signal)
{
	(void)signal;
	alarms++;
}

int main(void)
{
	static const unsigned char code[] = { 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 }; /* getppid(); ret */
	unsigned char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int wrong = 0;

	for (int place = 0; place < 8; place++) { /* the last ones over the page's end */
		memcpy(page + 4084 + place * 2, code, sizeof code);
		for (int i = 0; i < 10; i++)
			wrong += ((int (*)(void))(page + 4084 + place * 2))() != getppid();
		CHECK(memcmp(page + 4084 + place * 2, code, sizeof code) == 0);
	}
	on(SIGALRM, count, SA_RESTART);
	storm(25);
	for (double end = seconds() + 0.5; seconds() < end;)
		for (int i = 0; i < 100; i++)
			wrong += ((int (*)(void))(page + 4084 + 14))() != getppid();
	storm(0);
	TELL(wrong);
	CHECK(alarms > 100);
	munmap(page, 8192);
	/* other code at the same place */
	page = mmap(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memcpy(page + 4084, code, sizeof code);
	page[4085] = 39; /* getpid */
	for (int i = 0; i < 10; i++)
		wrong += ((int (*)(void))(page + 4084))() != getpid();
	TELL(wrong);
	return 0;
}
