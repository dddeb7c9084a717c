/* A thousand threads at once, each with files and storage of its own; stack sizes; destructors of thread storage; names; limits.
 * timeout: 120
 */
#include <sys/resource.h>
#include "sig.h"

#define MANY 1000

static pthread_barrier_t all;
static pthread_key_t key;
static int destroyed, right;
static __thread int own = 7;

static void destroy(void *value)
{
	if (*(int *)value == 5)
		__atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST);
	free(value);
}

static void *one_of_many(void *arg)
{
	char bytes[16];
	long number = (long)arg;
	int *value = malloc(sizeof(*value));
	*value = 5;
	own += (int)number;
	pthread_setspecific(key, value);
	pthread_barrier_wait(&all);
	int fd = open("lines.txt", O_RDONLY | O_CLOEXEC);
	int ok = fd >= 0 && pread(fd, bytes, 9, number * 10) == 9 && atoi(bytes + 5) == number;
	close(fd);
	ok &= own == 7 + number && pthread_getspecific(key) == value;
	__atomic_add_fetch(&right, ok, __ATOMIC_SEQ_CST);
	pthread_barrier_wait(&all);
	return arg;
}

/* Destructors that set the value again: four rounds of them. */
static int rounds;
static pthread_key_t again_key;
static void again(void *value)
{
	struct stat st;
	stat("small.txt", &st);
	rounds++;
	pthread_setspecific(again_key, value);
}

static void *sets_again(void *arg)
{
	pthread_setspecific(again_key, arg);
	return NULL;
}

/* Uses nearly all of a small stack, with calls at the bottom of it. */
static void *small_stack(void *arg)
{
	char room[8192];
	struct stat st;
	memset(room, 1, sizeof(room));
	(void)arg;
	return (void *)(long)(stat("dir/a", &st) == 0 && access("dir", R_OK) == 0 && room[4000]);
}

static void *named(void *arg)
{
	char name[32], path[64];
	pthread_setname_np(pthread_self(), arg);
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", gettid());
	int fd = MUST(open(path, O_RDONLY));
	name[read(fd, name, 31)] = 0;
	close(fd);
	printf("%s", name);
	return NULL;
}

static void *makes(void *arg)
{
	pthread_t next;
	long left = (long)arg;
	if (left && pthread_create(&next, NULL, makes, (void *)(left - 1)) == 0) {
		void *result;
		pthread_join(next, &result);
		return (void *)((long)result + 1);
	}
	return (void *)0;
}

int main(void)
{
	static pthread_t threads[MANY];
	pthread_attr_t attributes;
	void *result;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	pthread_key_create(&key, destroy);
	pthread_barrier_init(&all, NULL, MANY);
	int made = 0;
	for (long i = 0; i < MANY; i++)
		made += pthread_create(&threads[i], &attributes, one_of_many, (void *)i) == 0;
	printf("made %d\n", made);
	long sum = 0;
	for (int i = 0; i < made; i++) {
		pthread_join(threads[i], &result);
		sum += (long)result;
	}
	printf("right %d destroyed %d sum %ld\n", right, destroyed, sum);
	pthread_key_create(&again_key, again);
	pthread_t thread;
	pthread_create(&thread, NULL, sets_again, &rounds);
	pthread_join(thread, NULL);
	printf("rounds %d\n", rounds);
	pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
	pthread_create(&thread, &attributes, small_stack, NULL);
	pthread_join(thread, &result);
	printf("small stack %ld\n", (long)result);
	size_t guard;
	pthread_attr_setguardsize(&attributes, 65536);
	pthread_attr_getguardsize(&attributes, &guard);
	void *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_setstack(&attributes, memory, 1 << 20);
	pthread_create(&thread, &attributes, small_stack, NULL);
	pthread_join(thread, &result);
	printf("own stack %ld\n", (long)result);
	for (int i = 0; i < 3; i++) {
		char name[16];
		snprintf(name, sizeof(name), "worker-%d", i);
		pthread_create(&thread, NULL, named, name);
		pthread_join(thread, NULL);
	}
	pthread_create(&thread, NULL, makes, (void *)50);
	pthread_join(thread, &result);
	printf("chain %ld\n", (long)result);
	for (int i = 0; i < 3000; i++) { /* detached ones, each gone soon */
		pthread_attr_t detached;
		pthread_attr_init(&detached);
		pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
		while (pthread_create(&thread, &detached, small_stack, NULL))
			nap(1000);
	}
	puts("end");
	return 0;
}
