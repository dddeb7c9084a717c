/* Many threads, each in some call; robust and ordinary mutexes; thread numbers and names; one per processor time. */
#include "again.h"
#include <pthread.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define COUNT 200

static pthread_mutex_t robust, plain = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static sem_t gate;
static int ends[2], opened;
static volatile long turns;

static void *run(void *argument)
{
	long number = (long)argument;
	static __thread long mine;
	char name[16], back[16], byte;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	snprintf(name, sizeof name, "thread %ld", number);
	prctl(PR_SET_NAME, name);
	mine = number * 3;
	switch (number % 5) {
	case 0:
		CHECK(read(ends[0], &byte, 1) == 1);
		break;
	case 1:
		while (sem_wait(&gate))
			CHECK(errno == EINTR);
		break;
	case 2:
		pthread_mutex_lock(&plain);
		while (!opened)
			pthread_cond_wait(&change, &plain);
		pthread_mutex_unlock(&plain);
		break;
	case 3:
		while (!__atomic_load_n(&opened, __ATOMIC_SEQ_CST))
			usleep(2000);
		break;
	default:
		while (!__atomic_load_n(&opened, __ATOMIC_SEQ_CST)) {
			__atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
			sched_yield();
			usleep(1000);
		}
	}
	prctl(PR_GET_NAME, back);
	CHECK(!strcmp(name, back) && mine == number * 3 && syscall(SYS_gettid) == tid);
	if (number == 7)
		CHECK(pthread_mutex_lock(&robust) == 0); /* and dies with it */
	return argument;
}

int main(void)
{
	static pthread_t threads[COUNT];
	pthread_mutexattr_t kind;
	pthread_attr_t small;
	void *result;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &kind);
	sem_init(&gate, 0, 0);
	CHECK(pipe(ends) == 0 && pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 65536) == 0);
	for (long n = 0; n < COUNT; n++)
		CHECK(pthread_create(&threads[n], &small, run, (void *)n) == 0);
	linger();
	pthread_mutex_lock(&plain);
	opened = 1;
	pthread_cond_broadcast(&change);
	pthread_mutex_unlock(&plain);
	for (int n = 0; n < COUNT; n++) {
		CHECK(write(ends[1], "x", 1) == 1);
		sem_post(&gate);
	}
	for (long n = 0; n < COUNT; n++)
		CHECK(pthread_join(threads[n], &result) == 0 && result == (void *)n);
	CHECK(pthread_mutex_lock(&robust) == EOWNERDEAD && turns > 0);
	return done();
}
