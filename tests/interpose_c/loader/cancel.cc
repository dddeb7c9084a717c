// pthread_cancel of blocked threads: handlers and destructors run, deferred and asynchronous.
#include "tell.h"

static int ends[2];
static volatile int destroyed, cleaned, blocked;

struct Guard {
	~Guard() { __atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST); }
};

static void clean(void *)
{
	__atomic_add_fetch(&cleaned, 1, __ATOMIC_SEQ_CST);
}

static void *reader(void *how)
{
	Guard guard;
	char byte;

	pthread_setcanceltype(how ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED, nullptr);
	pthread_cleanup_push(clean, nullptr);
	for (int i = 0; i < 3; i++) { // so that the site is rewritten
		if (write(ends[1], "x", 1) != 1 || read(ends[0], &byte, 1) != 1)
			abort();
	}
	blocked = gettid(); // but for the call itself
	if (how)
		for (;;)
			pause();
	while (read(ends[0], &byte, 1) >= 0)
		;
	pthread_cleanup_pop(0);
	return nullptr;
}

static void until_asleep()
{
	char name[64], line[256];

	for (char state = 0; state != 'S'; usleep(1000)) {
		if (!blocked)
			continue;
		snprintf(name, sizeof name, "/proc/self/task/%d/stat", blocked);
		FILE *file = fopen(name, "r");
		if (file && fgets(line, sizeof line, file) && strrchr(line, ')'))
			state = strrchr(line, ')')[2];
		if (file)
			fclose(file);
	}
}

static void *thrower(void *)
{
	int caught = 0;

	for (int i = 0; i < 100; i++) {
		try {
			Guard guard;
			if (getppid() > 0)
				throw i;
		} catch (int) {
			caught++;
		}
	}
	return reinterpret_cast<void *>(static_cast<long>(caught));
}

int main()
{
	if (pipe(ends))
		return 1;
	for (long how = 0; how < 2; how++)
		for (int round = 0; round < 4; round++) {
			pthread_t thread;
			void *result;

			blocked = 0;
			pthread_create(&thread, nullptr, reader, reinterpret_cast<void *>(how));
			until_asleep();
			pthread_cancel(thread);
			pthread_join(thread, &result);
			printf("cancelled %d cleaned %d destroyed %d\n", result == PTHREAD_CANCELED, cleaned, destroyed);
		}
	pthread_t thread;
	void *result;
	pthread_create(&thread, nullptr, thrower, nullptr);
	pthread_join(thread, &result);
	printf("caught %ld\n", reinterpret_cast<long>(result));
	return 0;
}
