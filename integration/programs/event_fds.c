/* eventfd, timerfd, signalfd, inotify on scratch: descriptors that are no files. */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include "say.h"

int main(void)
{
	uint64_t number = 5;
	int e = TRY(eventfd(3, EFD_CLOEXEC | EFD_NONBLOCK));
	VALUE(write(e, &number, 8));
	VALUE(read(e, &number, 8));
	printf("%lu\n", number);
	VALUE(read(e, &number, 8));
	int t = TRY(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	struct itimerspec soon = { { 0, 5000000 }, { 0, 5000000 } };
	TRY(timerfd_settime(t, 0, &soon, NULL));
	usleep(30000);
	VALUE(read(t, &number, 8));
	YES(number >= 3);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	int s = TRY(signalfd(-1, &set, SFD_NONBLOCK));
	struct signalfd_siginfo info;
	VALUE(read(s, &info, sizeof(info)));
	MUST(raise(SIGUSR1));
	VALUE(read(s, &info, sizeof(info)));
	YES(info.ssi_signo == SIGUSR1);
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(4);
	struct pollfd wait_for = { .fd = s, .events = POLLIN };
	VALUE(poll(&wait_for, 1, 2000));
	VALUE(read(s, &info, sizeof(info)));
	YES(info.ssi_pid == (uint32_t)pid && info.ssi_status == 4);
	show_wait("child", pid);
	char directory[] = "/tmp/watch-XXXXXX", name[64], events[4096];
	MUST(mkdtemp(directory) ? 0 : -1);
	int i = TRY(inotify_init1(IN_NONBLOCK));
	TRY(inotify_add_watch(i, directory, IN_CREATE | IN_CLOSE_WRITE));
	snprintf(name, sizeof(name), "%s/new", directory);
	put(name, "x");
	struct inotify_event *event = (struct inotify_event *)events;
	YES(read(i, events, sizeof(events)) > 0);
	printf("%x %s\n", event->mask, event->name);
	MUST(unlink(name));
	MUST(rmdir(directory));
	return 0;
}
