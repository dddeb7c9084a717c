/* What a program asks of the kernel once and relies on: barriers, slack, priorities, who is told by a signal. */
#include "again.h"
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define IDLE (3 << 13) /* of ioprio_set(2) */
#define SET_MDWE 65    /* younger than the C library's headers */
#define GET_MDWE 66

static int has_lingered;
static pthread_barrier_t both;

static void *be_slack(void *unused)
{
	CHECK(prctl(PR_SET_TIMERSLACK, 77000) == 0 && syscall(SYS_ioprio_set, 1, 0, IDLE) == 0);
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	CHECK(has_lingered && prctl(PR_GET_TIMERSLACK) == 77000 && syscall(SYS_ioprio_get, 1, 0) == IDLE);
	return unused;
}

static void read_text(const char *path, char *to, size_t most)
{
	int fd = open(path, O_RDONLY);
	ssize_t got = read(fd, to, most - 1);
	CHECK(got >= 0);
	to[got] = '\0';
	close(fd);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

int main(void)
{
	char text[500], path[40];
	pthread_t thread;
	int ends[2], pipes[2], timer = timerfd_create(CLOCK_REALTIME, 0);
	const struct itimerspec in_an_hour = { .it_value = { time(NULL) + 3600, 0 } };
	struct f_owner_ex owner = { F_OWNER_PGRP, getpgrp() };
	signal(SIGUSR1, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
	CHECK(prctl(PR_SET_TIMERSLACK, 123456) == 0 && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(pipes) == 0);
	CHECK(fcntl(ends[0], F_SETOWN, getpid()) == 0 && fcntl(ends[0], F_SETSIG, SIGUSR1) == 0);
	CHECK(fcntl(pipes[0], F_SETOWN_EX, &owner) == 0 && fcntl(pipes[0], F_SETFL, O_ASYNC) == 0);
	CHECK(timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &in_an_hour, NULL) == 0);
	write_text("/proc/self/oom_score_adj", "700");
	write_text("/proc/self/coredump_filter", "0x7f");
	CHECK(pthread_barrier_init(&both, NULL, 2) == 0 && pthread_create(&thread, NULL, be_slack, NULL) == 0);
	pthread_barrier_wait(&both);
	CHECK(prctl(SET_MDWE, 1, 0, 0, 0) == 0 || errno == EINVAL);

	linger();

	CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
	CHECK(prctl(PR_GET_TIMERSLACK) == 123456 && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
	CHECK(prctl(GET_MDWE, 0, 0, 0, 0) == 1 || errno == EINVAL);
	CHECK(fcntl(ends[0], F_GETOWN) == getpid() && fcntl(ends[0], F_GETSIG) == SIGUSR1);
	owner.pid = 0;
	CHECK(fcntl(pipes[0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_PGRP && owner.pid == getpgrp());
	CHECK(fcntl(pipes[0], F_GETFL) & O_ASYNC);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", timer);
	read_text(path, text, sizeof text);
	CHECK(strstr(text, "settime flags: 03"));
	read_text("/proc/self/oom_score_adj", text, sizeof text);
	CHECK(atoi(text) == 700);
	read_text("/proc/self/coredump_filter", text, sizeof text);
	CHECK(strtol(text, NULL, 16) == 0x7f);
	has_lingered = 1;
	pthread_barrier_wait(&both);
	CHECK(pthread_join(thread, NULL) == 0);
	return done();
}
