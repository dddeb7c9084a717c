/* SIGIO: F_SETOWN to a process, a group, a thread; F_SETSIG with who and what in siginfo; pipes, sockets, a terminal; over fork; errors. */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "sig.h"

static volatile sig_atomic_t got, got_fd, got_band, got_code, in_thread;

static void says(int number, siginfo_t *info, void *context)
{
	(void)context;
	got_fd = info->si_fd;
	got_band = (int)info->si_band;
	got_code = info->si_code;
	in_thread = gettid() != getpid();
	got = number;
}

static void shown(const char *what, int fd)
{
	for (int i = 0; i < 2000 && !got; i++)
		nap(1000);
	printf("%s: %s code %d, fd %s, band %#x%s\n", what,
	       got == 0        ? "nothing" :
	       got >= SIGRTMIN ? "RT" :
				 sigabbrev_np(got),
	       got_code, got_fd == fd ? "named" : "not named", (unsigned)got_band, in_thread ? ", in the thread" : "");
	got = got_fd = got_band = got_code = in_thread = 0;
}

static void plain(int reader, int writer, const char *what)
{
	char byte;
	on_info(SIGIO, says, SA_RESTART);
	on_info(SIGRTMIN + 3, says, SA_RESTART);
	printf("-- %s\n", what);
	TRY(fcntl(reader, F_SETOWN, getpid()));
	YES(fcntl(reader, F_GETOWN) == getpid());
	VALUE(fcntl(reader, F_GETSIG));
	TRY(fcntl(reader, F_SETFL, O_ASYNC | O_NONBLOCK));
	YES(fcntl(reader, F_GETFL) & O_ASYNC);
	MUST(write(writer, "x", 1));
	shown("SIGIO", reader);
	TRY(fcntl(reader, F_SETSIG, SIGRTMIN + 3));
	MUST(read(reader, &byte, 1));
	got = 0;
	MUST(write(writer, "y", 1));
	shown("F_SETSIG", reader);
	int zero = 0;
	TRY(ioctl(reader, FIOASYNC, &zero));
	YES(fcntl(reader, F_GETFL) & O_ASYNC);
	MUST(read(reader, &byte, 1));
	MUST(write(writer, "z", 1));
	nap(2000);
	VALUE(got);
	TRY(fcntl(reader, F_SETSIG, 0));
}

static int pipe_ends[2];
static volatile int thread_id, done;

static void *owner(void *none)
{
	struct f_owner_ex me = { F_OWNER_TID, gettid() }, who = { 0, 0 };
	TRY(fcntl(pipe_ends[0], F_SETOWN_EX, &me));
	TRY(fcntl(pipe_ends[0], F_GETOWN_EX, &who));
	YES(who.type == F_OWNER_TID && who.pid == gettid());
	TRY(fcntl(pipe_ends[0], F_SETSIG, SIGRTMIN + 3));
	TRY(fcntl(pipe_ends[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	thread_id = gettid();
	while (!done)
		nap(1000);
	return none;
}

static void to_a_thread(void)
{
	pthread_t thread;
	MUST(pipe(pipe_ends));
	pthread_create(&thread, NULL, owner, NULL);
	while (!thread_id)
		nap(1000);
	MUST(write(pipe_ends[1], "t", 1));
	shown("thread", pipe_ends[0]);
	done = 1;
	pthread_join(thread, NULL);
	MUST(write(pipe_ends[1], "t", 1)); /* the owner is gone */
	nap(2000);
	VALUE(got);
}

static void to_a_group(void)
{
	int ready[2], s[2], status;
	char byte;
	MUST(pipe(ready));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	pid_t first = MUST(fork());
	if (first == 0) {
		setpgid(0, 0);
		mask(SIG_BLOCK, SIGIO);
		pid_t second = MUST(fork());
		MUST(write(ready[1], second ? "1" : "2", 1));
		sigset_t set = set_of(SIGIO);
		siginfo_t info;
		int number = sigwaitinfo(&set, &info);
		if (second)
			waitpid(second, &status, 0);
		_exit(number == SIGIO && (!second || WEXITSTATUS(status) == 33) ? 33 : 1);
	}
	MUST(read(ready[0], &byte, 1));
	MUST(read(ready[0], &byte, 1));
	TRY(fcntl(s[0], F_SETOWN, -first));
	YES(fcntl(s[0], F_GETOWN) == -first);
	TRY(fcntl(s[0], F_SETFL, O_ASYNC));
	MUST(write(s[1], "g", 1));
	MUST(waitpid(first, &status, 0));
	show_status("the group", status);
}

int main(void)
{
	int p[2], s[2];
	MUST(pipe(p));
	plain(p[0], p[1], "a pipe");
	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	plain(s[0], s[1], "a socket");
	to_a_thread();
	to_a_group();
	struct f_owner_ex odd = { 77, getpid() };
	TRY(fcntl(p[0], F_SETOWN_EX, &odd));
	TRY(fcntl(p[0], F_SETOWN, 0x3ffffff));
	TRY(fcntl(p[0], F_SETSIG, 65));
	int fd = MUST(open("small.txt", O_RDONLY));
	TRY(fcntl(fd, F_SETFL, O_ASYNC));
	YES(fcntl(fd, F_GETFL) & O_ASYNC);
	TRY(fcntl(fd, F_SETOWN, getpid()));
	YES(fcntl(fd, F_GETOWN) == getpid());
	return 0;
}
