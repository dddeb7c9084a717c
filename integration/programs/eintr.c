/* What a signal does to a blocked call: EINTR without SA_RESTART, a restart with it. */
#include <poll.h>
#include "say.h"

static int p[2];

static void nothing(int number)
{
	(void)number;
}

static void feed(int number)
{
	(void)number;
	if (write(p[1], "late", 4) < 0)
		_exit(97);
}

static void after_30ms(void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	sigaction(SIGALRM, &action, NULL);
	/* Again and again: one that comes too early must not leave us waiting for ever. */
	ualarm(30000, handler == nothing ? 50000 : 0);
}

int main(void)
{
	char bytes[8];
	struct timespec second = { 1, 0 }, left = { 0, 0 };
	MUST(pipe(p));
	after_30ms(nothing, 0);
	VALUE(read(p[0], bytes, 8));
	after_30ms(feed, SA_RESTART);
	VALUE(read(p[0], bytes, 8));
	after_30ms(nothing, SA_RESTART);
	VALUE(nanosleep(&second, &left));
	YES(left.tv_nsec > 500000000);
	after_30ms(nothing, SA_RESTART);
	struct pollfd wait_for = { .fd = p[0], .events = POLLIN };
	VALUE(poll(&wait_for, 1, 1000));
	after_30ms(nothing, 0);
	VALUE(waitpid(-1, NULL, 0));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		pause();
		_exit(0);
	}
	alarm(0);
	after_30ms(nothing, 0);
	VALUE(waitpid(pid, NULL, 0));
	after_30ms(nothing, SA_RESTART);
	VALUE(pause());
	kill(pid, SIGTERM);
	show_wait("child", pid);
	after_30ms(nothing, 0);
	VALUE(sigsuspend(&(sigset_t){ 0 }));
	int fd = MUST(open("big.bin", O_RDONLY));
	after_30ms(nothing, 0);
	static char block[1 << 20];
	VALUE(read(fd, block, sizeof(block)));
	return 0;
}
