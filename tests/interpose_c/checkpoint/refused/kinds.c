/* What cannot travel, one kind for each word; the program goes on as if nobody had tried. */
#include "../programs/again.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <netinet/udp.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

static void connect_somewhere(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof here;
	int door = socket(AF_INET, SOCK_STREAM, 0), caller = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(door, (struct sockaddr *)&here, sizeof here) == 0 && listen(door, 1) == 0);
	CHECK(getsockname(door, (struct sockaddr *)&here, &length) == 0);
	CHECK(connect(caller, (struct sockaddr *)&here, sizeof here) == 0 && write(caller, "x", 1) == 1);
}

static void install_filter(void)
{
	struct sock_filter all[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW } };
	struct sock_fprog program = { 1, all };
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void send_descriptor(void)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} rights = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec word = { (char *)"x", 1 };
	struct msghdr message = {
		.msg_iov = &word, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights
	};
	int ends[2];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && sendmsg(ends[0], &message, 0) == 1);
}

static void send_urgent(void)
{
	int ends[2];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && send(ends[0], "ab", 2, MSG_OOB) == 2);
}

/* A datagram socket's partner on loopback, which is not there any more; what it says to that one comes back. */
static void be_refused(int fd)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof here;
	struct pollfd look = { fd, 0, 0 };
	int gone = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(bind(gone, (struct sockaddr *)&here, sizeof here) == 0);
	CHECK(getsockname(gone, (struct sockaddr *)&here, &length) == 0);
	CHECK(connect(fd, (struct sockaddr *)&here, sizeof here) == 0);
	close(gone);
	CHECK(send(fd, "x", 1, 0) == 1 && poll(&look, 1, 5000) == 1 && look.revents & POLLERR);
}

static void have_errors_queued(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	CHECK(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) == 0);
	be_refused(fd);
}

static void hear_a_group(void)
{
	struct sockaddr_in group = { .sin_family = AF_INET };
	struct ip_mreqn request = { .imr_address = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof group;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(inet_pton(AF_INET, "239.1.2.3", &group.sin_addr) == 1);
	request.imr_multiaddr = group.sin_addr;
	CHECK(bind(fd, (struct sockaddr *)&group, sizeof group) == 0);
	CHECK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0);
	CHECK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&group, &length) == 0);
	CHECK(sendto(fd, "x", 1, 0, (struct sockaddr *)&group, sizeof group) == 1);
}

static void bind_and(const char *name, bool remove)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, name);
	CHECK(chdir("/tmp") == 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
	CHECK(!remove || unlink(name) == 0);
}

static int ends[2];

static void be_left_for_another(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0 && send(ends[0], "x", 1, 0) == 1);
	CHECK(connect(ends[1], &none, sizeof none) == 0); /* it has thrown away what it had not read */
}

static void be_left_with_something_unread(void)
{
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0 && send(ends[0], "x", 1, 0) == 1);
	CHECK(send(ends[1], "y", 1, 0) == 1 && close(ends[1]) == 0);
}

static void be_told_who(void)
{
	int on = 1;
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
	CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 && send(ends[0], "x", 1, 0) == 1);
	ends[0] = 0; /* nothing of it is looked at again */
}

static void still_left(void)
{
	char byte;
	CHECK(recv(ends[0], &byte, 1, 0) < 0 && errno == ECONNRESET);
}

static void *go_on(void *unused)
{
	char stat[200] = "";
	(void)unused;
	while (!strstr(stat, ") Z ")) { /* until the first thread has gone */
		FILE *file = fopen("/proc/self/stat", "r");
		CHECK(file && fgets(stat, sizeof stat, file) && fclose(file) == 0);
	}
	linger();
	exit(done());
}

static void leave_to_a_thread(void)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, go_on, NULL) == 0);
	pthread_exit(NULL);
}

static void hear(union sigval value)
{
	(void)value;
}

static void be_told_by_a_thread(void)
{
	struct sigevent how = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = hear };
	CHECK(mq_notify(mq_open("/left", O_CREAT | O_RDWR, 0600, NULL), &how) == 0);
}

static void *live_apart(void *unused)
{
	CHECK(unshare(CLONE_FS) == 0);
	linger();
	return unused;
}

static void let_a_thread_live_apart(void)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, live_apart, NULL) == 0 && pthread_join(thread, NULL) == 0);
	exit(done());
}

static void trace_a_child(void)
{
	pid_t child = fork();
	if (child == 0) {
		for (int n = 0; n < 150; n++)
			usleep(10000);
		_exit(0);
	}
	CHECK(ptrace(PTRACE_SEIZE, child, 0, 0) == 0);
}

static void watch(uint32_t mask)
{
	CHECK(mkdir("/tmp/place", 0700) == 0 && inotify_add_watch(inotify_init(), "/tmp/place", mask) == 1);
	CHECK(mkdir("/tmp/place/below", 0700) == 0);
}

static void be_told_of_changes(void)
{
	CHECK(signal(SIGIO, SIG_IGN) != SIG_ERR);
	CHECK(fcntl(open("/tmp", O_RDONLY | O_DIRECTORY), F_NOTIFY, DN_CREATE | DN_MULTISHOT) == 0);
}

static void keep_back(void)
{
	int on = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &on, sizeof on) == 0);
}

static void have_a_child_with_another_signal(void)
{
	CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	if (syscall(SYS_clone, SIGUSR1, NULL, NULL, NULL, NULL) == 0) {
		pause();
		_exit(0);
	}
}

static void have_no_room(void)
{
	struct rlimit most;
	CHECK(getrlimit(RLIMIT_NOFILE, &most) == 0);
	most.rlim_cur = most.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &most) == 0 && dup2(1, (int)most.rlim_max - 1) > 0);
}

/* Its parent cannot be stopped meanwhile; until somebody says so. */
static void wait_for_a_vfork_child(void)
{
	if (fork() == 0 && vfork() == 0)
		for (;;)
			pause();
	printf("ready\n");
	fflush(stdout);
	while (access("/work/stop", F_OK))
		usleep(10000);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	unsigned long context = 0;
	if (!strcmp(kind, "connection"))
		connect_somewhere();
	else if (!strcmp(kind, "filter"))
		install_filter();
	else if (!strcmp(kind, "descriptor"))
		send_descriptor();
	else if (!strcmp(kind, "unread"))
		watch(IN_CREATE);
	else if (!strcmp(kind, "once"))
		watch(IN_OPEN | IN_ONESHOT);
	else if (!strcmp(kind, "elsewhere"))
		CHECK(inotify_add_watch(inotify_init(), "/proc", IN_CREATE) == 1);
	else if (!strcmp(kind, "queue"))
		be_told_by_a_thread();
	else if (!strcmp(kind, "apart"))
		let_a_thread_live_apart();
	else if (!strcmp(kind, "traced"))
		trace_a_child();
	else if (!strcmp(kind, "changes"))
		be_told_of_changes();
	else if (!strcmp(kind, "corked"))
		keep_back();
	else if (!strcmp(kind, "errors"))
		have_errors_queued();
	else if (!strcmp(kind, "group"))
		hear_a_group();
	else if (!strcmp(kind, "relative"))
		bind_and("name", true);
	else if (!strcmp(kind, "aside"))
		bind_and("/tmp/.socket1", false);
	else if (!strcmp(kind, "who"))
		be_told_who();
	else if (!strcmp(kind, "another"))
		be_left_for_another();
	else if (!strcmp(kind, "packets"))
		be_left_with_something_unread();
	else if (!strcmp(kind, "asynchronous"))
		CHECK(syscall(SYS_io_setup, 5, &context) == 0);
	else if (!strcmp(kind, "clone"))
		have_a_child_with_another_signal();
	else if (!strcmp(kind, "room"))
		have_no_room();
	else if (!strcmp(kind, "urgent"))
		send_urgent();
	else if (!strcmp(kind, "vfork"))
		wait_for_a_vfork_child();
	else if (!strcmp(kind, "leader"))
		leave_to_a_thread();
	linger();
	if (ends[0])
		still_left();
	return done();
}
