/* Has of everything that a checkpoint of its own has to keep, and takes STEPS steps, each for a byte of stdin; exit 3. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6
#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "line %d: not so any more: %s\n", __LINE__, #what); \
			_exit(9); \
		} \
	} while (0)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t own;
static int step_now, done;
static uint64_t sums[THREADS];
static __thread uint64_t mine = 42;
static volatile sig_atomic_t alarms, usr1;
static char other_stack[1 << 16];

static void on_alarm(int number)
{
	char here;
	(void)number;
	CHECK(&here > other_stack && &here < other_stack + sizeof other_stack);
	alarms++;
}

static void on_usr1(int number)
{
	(void)number;
	usr1++;
}

static void *work(void *argument)
{
	long number = (long)argument;
	int seen = 0;
	uint64_t before = (mine = (uint64_t)number);
	pid_t tid = (pid_t)syscall(SYS_gettid);
	pthread_mutex_lock(&lock);
	while (!done) {
		while (!done && seen == step_now)
			pthread_cond_wait(&turn, &lock);
		CHECK(mine == before && tid == (pid_t)syscall(SYS_gettid));
		seen = step_now;
		mine = before = before * 31 + 7;
		sums[number] += mine;
	}
	pthread_mutex_unlock(&lock);
	return argument;
}

int main(int argc, char **argv)
{
	int steps = argc > 1 ? atoi(argv[1]) : 10;
	pthread_t threads[THREADS];
	CHECK(argc == 2 && getenv("HOME_OF_ALL") && !strcmp(argv[0], "./whole"));
	pthread_mutexattr_t checked;
	pthread_mutexattr_init(&checked);
	pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&own, &checked);
	pthread_mutex_lock(&own);
	sigset_t held;
	sigemptyset(&held);
	sigaddset(&held, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &held, NULL);
	for (long n = 0; n < THREADS; n++)
		CHECK(pthread_create(&threads[n], NULL, work, (void *)n) == 0);

	mkdir("place", 0777);
	CHECK(chdir("place") == 0);
	umask(027);
	int out = open("out", O_CREAT | O_TRUNC | O_RDWR, 0644),
	    log = open("log", O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0644);
	int twin = dup(out), saved = dup(1);
	FILE *in = fopen("../text", "r");
	CHECK(out > 2 && log > 2 && in);
	uint64_t *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(in), 0);
	char *guard = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *heap = calloc(1 << 18, 8);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED && guard != MAP_FAILED);
	strcpy(guard + 4096, "behind");
	CHECK(mprotect(guard + 4096, 4096, PROT_NONE) == 0 && mprotect(guard, 4096, PROT_READ) == 0);
	private[0] = '!';

	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof other_stack };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_ONSTACK | SA_RESTART };
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	signal(SIGUSR1, on_usr1);
	pthread_sigmask(SIG_UNBLOCK, &held, NULL);
	sigemptyset(&held);
	sigaddset(&held, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &held, NULL);
	raise(SIGUSR1);
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } };
	setitimer(ITIMER_REAL, &often, NULL);

	pid_t pid = getpid();
	double real = 1;
	uint64_t state = 1;
	for (int step = 0; step < steps; step++) {
		char line[80], go;
		CHECK(read(0, &go, 1) == 1);
		for (int n = 0; n < 300000; n++) {
			state = state * 6364136223846793005ull + 1442695040888963407ull;
			real = real * 1.0000001 + 1e-9;
			heap[state >> 46] ^= state;
		}
		CHECK(fgets(line, sizeof line, in));
		pthread_mutex_lock(&lock);
		step_now++;
		pthread_cond_broadcast(&turn);
		pthread_mutex_unlock(&lock);
		shared[step % 1024] += state;
		dprintf(step % 2 ? out : twin, "%d %lx\n", step, (unsigned long)state);
		dprintf(log, "%d\n", step);
		dprintf(saved, "%d %lx %.17g %s", step, (unsigned long)state, real, line);
		struct timespec left = { 0, 15000000 };
		while (nanosleep(&left, &left))
			;
		CHECK(getpid() == pid && pid == (pid_t)syscall(SYS_gettid));
		CHECK(private[0] == '!' && !usr1 && pthread_mutex_trylock(&own) == 0 &&
		      pthread_mutex_unlock(&own) == 0);
	}
	alarm(0);
	pthread_mutex_lock(&lock);
	done = 1;
	pthread_cond_broadcast(&turn);
	pthread_mutex_unlock(&lock);
	for (long n = 0; n < THREADS; n++) {
		void *result;
		CHECK(pthread_join(threads[n], &result) == 0 && result == (void *)n);
	}
	char directory[4096];
	CHECK(getcwd(directory, sizeof directory) && !strcmp(strrchr(directory, '/'), "/place") && umask(0) == 027);
	CHECK(mprotect(guard + 4096, 4096, PROT_READ) == 0 && !strcmp(guard + 4096, "behind") && alarms > 0);
	pthread_sigmask(SIG_UNBLOCK, &held, NULL);
	CHECK(usr1 == 1);
	uint64_t all = 0;
	for (int n = 0; n < 1 << 18; n++)
		all = all * 31 + heap[n];
	for (int n = 0; n < 1024; n++)
		all = all * 31 + shared[n];
	printf("%lx\n", (unsigned long)all);
	return 3;
}
