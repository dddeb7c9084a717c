/* open of a FIFO waits for the other end; a signal interrupts it or not, and the next open goes on. */
#include <sys/time.h>
#include "say.h"

static volatile int signals;

static void count(int number)
{
	(void)number;
	signals++;
}

static void every_20ms(int flags)
{
	struct sigaction action = { .sa_handler = count, .sa_flags = flags };
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } };
	sigaction(SIGALRM, &action, NULL);
	signals = 0;
	setitimer(ITIMER_REAL, &often, NULL);
}

static void stop(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

/* Opens the other end when its parent has seen some signals. */
static pid_t other_end(int flags, int ready)
{
	pid_t pid = MUST(fork());
	if (pid == 0) {
		char go;
		MUST(read(ready, &go, 1));
		_exit(open("pipe", flags) >= 0 ? 7 : 8);
	}
	return pid;
}

static void interrupted(int mine, int other)
{
	int p[2], fd, refusals = 0;
	MUST(pipe(p));
	pid_t pid = other_end(other, p[0]);
	every_20ms(0);
	while ((fd = open("pipe", mine)) < 0 && errno == EINTR)
		if (++refusals == 3)
			MUST(write(p[1], "x", 1));
	stop();
	printf("%s after %s interruptions\n", fd >= 0 ? "open" : strerrorname_np(errno), refusals >= 3 ? "some" : "no");
	show_wait("other end", pid);
	close(fd);
	close(p[0]);
	close(p[1]);
}

static int feed;

static void let_go(int number)
{
	(void)number;
	if (++signals == 3)
		MUST(write(feed, "x", 1));
}

static void restarted(int mine, int other)
{
	struct sigaction action = { .sa_handler = let_go, .sa_flags = SA_RESTART };
	int p[2];
	MUST(pipe(p));
	feed = p[1];
	pid_t pid = other_end(other, p[0]);
	every_20ms(SA_RESTART);
	sigaction(SIGALRM, &action, NULL);
	int fd = TRY(open("pipe", mine));
	stop();
	YES(signals >= 3);
	show_wait("other end", pid);
	close(fd);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	MUST(mkfifo("pipe", 0644));
	interrupted(O_RDONLY, O_WRONLY);
	interrupted(O_WRONLY, O_RDONLY);
	interrupted(O_WRONLY | O_CREAT | O_TRUNC, O_RDONLY);
	restarted(O_RDONLY, O_WRONLY);
	restarted(O_WRONLY, O_RDONLY);
	restarted(O_WRONLY | O_CREAT | O_TRUNC, O_RDONLY);
	return 0;
}
