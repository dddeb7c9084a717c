/* Asks for a checkpoint of its own while it has what cannot be kept: ready, on, exit 5. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int ends[2], made = 0;
	pid_t child = 0;
	const char *what = argc > 1 ? argv[1] : "";
	if (!strcmp(what, "socket"))
		made = socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	else if (!strcmp(what, "pipe"))
		made = pipe(ends);
	else if (!strcmp(what, "epoll"))
		made = epoll_create1(0);
	else if (!strcmp(what, "event"))
		made = eventfd(0, 0);
	else if (!strcmp(what, "memfd"))
		made = memfd_create("x", 0);
	else if (!strcmp(what, "gone"))
		made = open("gone", O_CREAT | O_RDWR, 0600) < 0 || unlink("gone");
	else if (!strcmp(what, "child") && (child = fork()) == 0)
		return pause();
	else if (!strcmp(what, "timer")) {
		timer_t timer;
		struct sigevent silent = { .sigev_notify = SIGEV_NONE };
		made = timer_create(CLOCK_MONOTONIC, &silent, &timer);
	}
	puts(made < 0 ? "not made" : "ready");
	fflush(stdout);
	raise(SIGUSR2);
	puts("on");
	fflush(stdout);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return 5;
}
