/* siglongjmp out of a handler while a call waits: each kind of call, again and again, and everything goes on.
 * timeout: 120
 */
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include "sig.h"

static sigjmp_buf back;
static volatile int inside, jumps;
static int p[2], pair[2], locked;
static sem_t sem;

static void jump(int number)
{
	(void)number;
	if (inside) {
		inside = 0;
		siglongjmp(back, 1);
	}
}

static char bytes[65536];
static void do_read(void)
{
	read(p[0], bytes, 1);
}
static void do_recv(void)
{
	recv(pair[0], bytes, 1, 0);
}
static void do_poll(void)
{
	struct pollfd w = { p[0], POLLIN, 0 };
	poll(&w, 1, -1);
}
static void do_ppoll(void)
{
	struct pollfd w = { p[0], POLLIN, 0 };
	sigset_t none = set_of(SIGUSR1);
	ppoll(&w, 1, NULL, &none);
}
static void do_sigsuspend(void)
{
	sigset_t none = set_of(SIGUSR1);
	sigsuspend(&none);
}
static void do_sleep(void)
{
	nanosleep(&(struct timespec){ 100, 0 }, NULL);
}
static void do_sem(void)
{
	sem_wait(&sem);
}
static void do_flock(void)
{
	flock(locked, LOCK_EX);
}
static void do_setlkw(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	fcntl(locked, F_SETLKW, &lock);
}
static void do_fifo(void)
{
	open("pipe", O_WRONLY | O_CREAT | O_TRUNC, 0600);
}
static void do_wait(void)
{
	waitpid(-1, NULL, 0);
}
static void do_stats(void)
{
	struct stat st;
	for (;;)
		stat("dir/absent", &st), lstat("link", &st), access("dir", R_OK);
}
static void do_opens(void)
{
	for (;;)
		close(open("lines.txt", O_RDONLY));
}
static void do_masks(void)
{
	for (;;)
		mask(SIG_BLOCK, SIGUSR1), mask(SIG_UNBLOCK, SIGUSR1);
}
static void do_forks(void)
{
	for (;;) {
		pid_t pid = vfork();
		if (pid == 0)
			_exit(0);
	}
}
static void do_execs(void)
{
	for (;;)
		execl("dir/absent", "absent", NULL);
}

static const struct {
	const char *name;
	void (*call)(void);
} calls[] = {
	{ "read", do_read },
	{ "recv", do_recv },
	{ "poll", do_poll },
	{ "ppoll", do_ppoll },
	{ "sigsuspend", do_sigsuspend },
	{ "nanosleep", do_sleep },
	{ "sem_wait", do_sem },
	{ "flock", do_flock },
	{ "F_SETLKW", do_setlkw },
	{ "open of a FIFO", do_fifo },
	{ "waitpid", do_wait },
	{ "stats", do_stats },
	{ "opens", do_opens },
	{ "masks", do_masks },
	{ "forks", do_forks },
	{ "failing execs", do_execs },
};

static pid_t holder(void)
{
	int ready[2];
	MUST(pipe(ready));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		int fd = MUST(open("lines.txt", O_RDWR));
		struct flock lock = { .l_type = F_WRLCK };
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		MUST(flock(fd, LOCK_EX));
		MUST(fcntl(fd, F_SETLK, &lock));
		MUST(write(ready[1], "x", 1));
		for (;;)
			pause();
	}
	MUST(read(ready[0], bytes, 1));
	return pid;
}

static void calls_work(const char *after)
{
	struct stat st;
	int fd = open("small.txt", O_RDONLY);
	int right = fd >= 0 && read(fd, bytes, 17) == 17 && !memcmp(bytes, "alpha", 5) && fstat(fd, &st) == 0;
	close(fd);
	printf("%s: %d jumps, %s, SIGALRM %s, SIGUSR1 %s\n", after, jumps, right ? "all well" : "WRONG",
	       masked(SIGALRM) ? "blocked" : "free", masked(SIGUSR1) ? "blocked" : "free");
}

int main(void)
{
	MUST(pipe(p));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	MUST(mkfifo("pipe", 0600));
	sem_init(&sem, 0, 0);
	pid_t pid = holder();
	locked = MUST(open("lines.txt", O_RDWR));
	on(SIGALRM, jump, 0);
	alarms(700);
	for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		for (jumps = 0; jumps < 40; jumps++)
			if (sigsetjmp(back, 1) == 0) {
				inside = 1;
				calls[i].call();
				for (;;) /* it came back with EINTR before the handler could see that it should jump */
					pause();
			}
		calls_work(calls[i].name);
	}
	alarms(0);
	kill(pid, SIGKILL);
	int last = 0;
	while (wait(NULL) > 0)
		last++;
	YES(last > 0);
	/* descriptors that an open returned to nobody are lost here as at home: only a bound on them */
	int fd = open("empty", O_RDONLY);
	YES(fd >= 0 && fd < 100);
	return 0;
}
