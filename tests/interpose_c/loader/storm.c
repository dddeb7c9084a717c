/* A signal every 300 us into I/O of all kinds, with I/O in the handler: no call is lost, doubled or
 * cut short, and the handler's errno and ours do not mix. */
#include <spawn.h>
#include <sys/stat.h>
#include "tell.h"

static volatile long handled;
static int pipe_ends[2];

static void handler(int signal)
{
	char byte;
	int saved = errno;

	(void)signal;
	handled++;
	if (write(pipe_ends[1], "x", 1) != 1 || read(pipe_ends[0], &byte, 1) != 1)
		abort();
	if (open("/no/such/file", O_RDONLY) != -1)
		abort();
	errno = saved;
}

static long file_work(void)
{
	char name[] = "/tmp/storm.XXXXXX", text[100], back[100];
	long wrong = 0;
	int fd = mkstemp(name);

	unlink(name);
	for (int i = 0; i < 3000; i++) {
		struct stat status;
		int length = snprintf(text, sizeof text, "%d;", i);

		wrong += pwrite(fd, text, (size_t)length, 0) != length;
		wrong += pread(fd, back, sizeof back, 0) < length || memcmp(text, back, (size_t)length);
		wrong += fstat(fd, &status) || stat("/tmp", &status) || access("/", F_OK);
		errno = 0;
		wrong += open("/nowhere", O_RDONLY) != -1 || errno != ENOENT;
	}
	close(fd);
	return wrong;
}

static long handled_calls(void)
{
	long wrong = 0;

	for (int i = 0; i < 3000; i++) {
		sigset_t set, old;
		struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART }, before;
		char *const none[] = { NULL };

		sigfillset(&set);
		wrong += sigprocmask(SIG_SETMASK, &set, &old) != 0 || sigismember(&old, SIGALRM);
		wrong += sigprocmask(SIG_SETMASK, &old, &set) != 0 || !sigismember(&set, SIGALRM);
		wrong += sigaction(SIGALRM, &action, &before) != 0 || before.sa_handler != handler;
		if (i % 10 == 0)
			wrong += execve("/no/such/program", none, none) != -1 || errno != ENOENT;
	}
	return wrong;
}

static long children(void)
{
	long wrong = 0;

	for (int i = 0; i < 40; i++) {
		int status = -1;
		pid_t pid;

		if (i % 3 == 0) {
			pid = fork();
			if (pid == 0)
				_exit(7);
		} else if (i % 3 == 1) {
			pid = vfork();
			if (pid == 0)
				_exit(7);
		} else {
			char *argv[] = { "sh", "-c", "exit 7", NULL };

			wrong += posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, NULL);
		}
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			;
		wrong += !WIFEXITED(status) || WEXITSTATUS(status) != 7;
	}
	return wrong;
}

int main(void)
{
	if (pipe(pipe_ends))
		return 1;
	on(SIGALRM, handler, SA_RESTART);
	storm(300);
	TELL(file_work());
	TELL(handled_calls());
	TELL(children());
	while (handled < 100)
		;
	storm(0);
	return 0;
}
