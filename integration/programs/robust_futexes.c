/* Futexes whose owner dies: robust mutexes of threads and processes, also in a file, after exit, kill, exec; priority inheritance. */
#include <linux/futex.h>
#include "sig.h"

struct shared {
	pthread_mutex_t mutex;
	int held;
};

static const char *name_of(int error)
{
	return error ? strerrorname_np(error) : "ok";
}

static void make(struct shared *at, int protocol, int type)
{
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, protocol);
	pthread_mutexattr_settype(&attr, type);
	at->held = 0;
	printf("made: %s\n", name_of(pthread_mutex_init(&at->mutex, &attr)));
}

/* Takes it in a child, which ends in a way; then who waits here. */
enum end { EXITS, KILLED, EXECS, THREAD_ENDS };

static void *take_and_end(void *at)
{
	struct shared *shared = at;
	pthread_mutex_lock(&shared->mutex);
	return NULL;
}

static pid_t owner(struct shared *shared, enum end end)
{
	int p[2], status;
	char byte;
	MUST(pipe(p));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		if (end == THREAD_ENDS) {
			pthread_t thread;
			pthread_create(&thread, NULL, take_and_end, shared);
			pthread_join(thread, NULL);
		} else {
			pthread_mutex_lock(&shared->mutex);
		}
		shared->held = 1;
		MUST(write(p[1], "h", 1));
		nap(5000); /* whoever waits is to be asleep by then: both orders are right */
		if (end == EXITS || end == THREAD_ENDS)
			_exit(0);
		if (end == EXECS)
			execl("/bin/true", "true", NULL);
		kill(getpid(), SIGKILL);
	}
	MUST(read(p[0], &byte, 1));
	close(p[0]);
	close(p[1]);
	int error = pthread_mutex_lock(&shared->mutex);
	printf("held %d, lock: %s\n", shared->held, name_of(error));
	if (error == EOWNERDEAD) {
		printf("try: %s\n", name_of(pthread_mutex_trylock(&shared->mutex)));
		printf("consistent: %s\n", name_of(pthread_mutex_consistent(&shared->mutex)));
	}
	printf("unlock: %s\n", name_of(pthread_mutex_unlock(&shared->mutex)));
	printf("again: %s\n", name_of(pthread_mutex_lock(&shared->mutex)));
	printf("unlock: %s\n", name_of(pthread_mutex_unlock(&shared->mutex)));
	MUST(waitpid(pid, &status, 0));
	show_status("owner", status);
	return pid;
}

static void given_up(struct shared *shared)
{
	pid_t pid = MUST(fork());
	if (pid == 0) {
		pthread_mutex_lock(&shared->mutex);
		_exit(0);
	}
	MUST(waitpid(pid, NULL, 0));
	printf("%s\n", name_of(pthread_mutex_lock(&shared->mutex)));
	printf("unlock without consistent: %s\n", name_of(pthread_mutex_unlock(&shared->mutex)));
	printf("for ever: %s\n", name_of(pthread_mutex_lock(&shared->mutex)));
	printf("%s\n", name_of(pthread_mutex_destroy(&shared->mutex)));
}

static void lists(void)
{
	void *head = NULL;
	size_t length = 0;
	TRY(syscall(SYS_get_robust_list, 0, &head, &length));
	YES(head != NULL);
	VALUE(length);
	TRY(syscall(SYS_set_robust_list, head, length - 1));
	TRY(syscall(SYS_set_robust_list, head, length));
	TRY(syscall(SYS_get_robust_list, getppid() ? 0x3ffffff : 0, &head, &length));
}

/* The kernel's own part of it: ownership in a word. */
static void inheritance(void)
{
	uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec past = { 1, 0 };
	TRY(syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, NULL));
	YES((*word & FUTEX_TID_MASK) == (uint32_t)gettid());
	TRY(syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, NULL));
	TRY(syscall(SYS_futex, word, FUTEX_TRYLOCK_PI, 0, NULL));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		TRY(syscall(SYS_futex, word, FUTEX_TRYLOCK_PI, 0, NULL));
		TRY(syscall(SYS_futex, word, FUTEX_UNLOCK_PI, 0, NULL));
		TRY(syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, &past));
		if (syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, NULL) || (*word & FUTEX_TID_MASK) != (uint32_t)gettid())
			_exit(4);
		_exit(3); /* it stays locked by nobody */
	}
	until_state(pid, 'S');
	while (!(*(volatile uint32_t *)word & FUTEX_WAITERS))
		nap(500);
	until_state(pid, 'S');
	TRY(syscall(SYS_futex, word, FUTEX_UNLOCK_PI, 0, NULL));
	show_wait("child", pid);
	TRY(syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, NULL));
	TRY(syscall(SYS_futex, word, FUTEX_WAIT, *word + 1, NULL));
	TRY(syscall(SYS_futex, NOWHERE, FUTEX_WAKE, 1));
}

int main(void)
{
	struct shared *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = MUST(open("mutex", O_RDWR | O_CREAT, 0600));
	MUST(ftruncate(fd, 4096));
	struct shared *file = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	const int protocols[] = { PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT };
	for (int i = 0; i < 2; i++)
		for (enum end end = EXITS; end <= THREAD_ENDS; end++) {
			printf("-- protocol %d end %d\n", i, end);
			make(memory, protocols[i], PTHREAD_MUTEX_ERRORCHECK);
			owner(memory, end);
		}
	puts("-- in a file");
	make(file, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
	owner(file, KILLED);
	given_up(file);
	memset(file, 0, 4096);
	lists();
	inheritance();
	return 0;
}
