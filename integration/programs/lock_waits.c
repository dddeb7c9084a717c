/* Waiting for a lock: a signal ends it with EINTR, SA_RESTART goes on, the holder's death ends it too. */
#include <sys/file.h>
#include <sys/time.h>
#include "say.h"

static volatile sig_atomic_t signals;

static void caught(int signal)
{
	(void)signal;
	signals++;
}

static int record(int fd, int command, int type)
{
	struct flock what = { .l_type = type, .l_whence = SEEK_SET };
	return fcntl(fd, command, &what);
}

static void in(long ms)
{
	struct itimerval once = { .it_value = { .tv_usec = ms * 1000 } };
	MUST(setitimer(ITIMER_REAL, &once, NULL));
}

int main(void)
{
	struct sigaction act = { .sa_handler = caught };
	int fd = MUST(open("lines.txt", O_RDWR)), ready[2];
	char c;
	MUST(pipe(ready));
	pid_t holder = MUST(fork());
	if (holder == 0) {
		int mine = MUST(open("lines.txt", O_RDWR));
		MUST(flock(mine, LOCK_EX));
		MUST(record(mine, F_SETLK, F_WRLCK));
		MUST(write(ready[1], "x", 1));
		pause();
	}
	MUST(read(ready[0], &c, 1));
	MUST(sigaction(SIGALRM, &act, NULL));
	in(50);
	TRY(flock(fd, LOCK_EX));
	in(50);
	TRY(record(fd, F_SETLKW, F_WRLCK));
	in(50);
	TRY(record(fd, F_OFD_SETLKW, F_RDLCK));
	printf("signals %d\n", signals);
	act.sa_flags = SA_RESTART;
	MUST(sigaction(SIGALRM, &act, NULL));
	pid_t killer = MUST(fork());
	if (killer == 0) {
		usleep(150000);
		kill(holder, SIGKILL);
		_exit(0);
	}
	in(50);
	TRY(flock(fd, LOCK_EX));
	TRY(record(fd, F_SETLKW, F_WRLCK));
	printf("signals %d\n", signals);
	show_wait("holder", holder);
	show_wait("killer", killer);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		TRY(flock(MUST(open("lines.txt", O_RDONLY)), LOCK_SH | LOCK_NB));
		TRY(record(fd, F_SETLK, F_RDLCK));
		execl("/bin/true", "true", NULL);
	}
	show_wait("other", pid);
	return 0;
}
