/* Every call that waits, under a stream of signals: EINTR without SA_RESTART; with it, a restart or EINTR as the kernel has it.
 * link: -lrt
 * timeout: 120
 */
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "sig.h"

#define LONG_S 100
#define ENOUGH 12 /* signals, until the handler lets the call go */

static volatile int inside, signals, releasing;
static int p[2], full[2], pair[2], listener, tty, slave, event, timer, sigs, notes, queue, sems, epoll, posix_queue;
static int locked;
static pid_t child, holder;
static uint32_t word;
static void (*release_it)(void);

static void tick(int number)
{
	(void)number;
	if (inside && ++signals == ENOUGH && releasing)
		release_it();
}

/* clang-format off */
/* ---- letting go: from within the handler ---- */
static void feed_pipe(void) { MUST(write(p[1], "x", 1)); }
static void drain_pipe(void) { static char room[65536]; MUST(read(full[0], room, sizeof(room))); }
static void feed_socket(void) { MUST(send(pair[1], "x", 1, 0)); }
static void feed_tty(void) { MUST(write(tty, "x\n", 2)); }
static void feed_event(void) { uint64_t one = 1; MUST(write(event, &one, 8)); }
static void feed_timer(void) { MUST(timerfd_settime(timer, 0, &(struct itimerspec){ .it_value = { 0, 1 } }, NULL)); }
static void feed_signal(void) { MUST(kill(getpid(), SIGUSR2)); }
static void feed_notes(void) { MUST(rename("empty", "empty2")); MUST(rename("empty2", "empty")); }
static void feed_queue(void) { struct { long type; char text; } m = { 1, 'x' }; MUST(msgsnd(queue, &m, 1, 0)); }
static void feed_sems(void) { struct sembuf up = { 0, 1, 0 }; MUST(semop(sems, &up, 1)); }
static void feed_word(void) { word = 1; MUST(syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0)); }
static void feed_posix(void) { MUST(mq_send(posix_queue, "x", 1, 0)); }
static void end_child(void) { MUST(kill(child, SIGKILL)); }
static void end_holder(void) { MUST(kill(holder, SIGKILL)); }
static void call_up(void) { struct sockaddr_un name = { AF_UNIX, "socket" }; int fd = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); MUST(connect(fd, (struct sockaddr *)&name, sizeof(name))); }
static void nothing(void) {  }
/* ---- the calls ---- */
static char room[65536];
static const struct timespec long_time = { LONG_S, 0 };
static long do_read(void) { return read(p[0], room, 8); }
static long do_readv(void) { struct iovec v = { room, 8 }; return readv(p[0], &v, 1); }
static long do_write(void) { return write(full[1], room, sizeof(room)); }
static long do_tty(void) { return read(slave, room, 8); }
static long do_recv(void) { return recv(pair[0], room, 8, 0); }
static long do_recvmsg(void) { struct iovec v = { room, 8 }; struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 }; return recvmsg(pair[0], &m, 0); }
static long do_socket_read(void) { return read(pair[0], room, 8); }
static long do_accept(void) { int fd = accept(listener, NULL, NULL); return fd < 0 ? -1 : close(fd); }
static long do_flock(void) { return flock(locked, LOCK_EX); }
static long do_setlkw(void) { struct flock lock = { .l_type = F_WRLCK }; return fcntl(locked, F_SETLKW, &lock); }
static long do_ofd(void) { struct flock lock = { .l_type = F_WRLCK }; return fcntl(locked, F_OFD_SETLKW, &lock); }
static long do_waitpid(void) { return waitpid(child, NULL, 0) > 0 ? 1 : -1; }
static long do_waitid(void) { siginfo_t info; return waitid(P_PID, child, &info, WEXITED); }
static long do_event(void) { return read(event, room, 8); }
static long do_timer(void) { return read(timer, room, 8); }
static long do_signalfd(void) { return read(sigs, room, 8) < 0 && errno == EINVAL ? read(sigs, room, 128) : -1; }
static long do_inotify(void) { return read(notes, room, sizeof(room)) > 0 ? 1 : -1; }
static long do_msgrcv(void) { return msgrcv(queue, room, 8, 0, 0); }
static long do_semop(void) { struct sembuf down = { 0, -1, 0 }; return semop(sems, &down, 1); }
static long do_semtimedop(void) { struct sembuf down = { 0, -1, 0 }; return semtimedop(sems, &down, 1, &long_time); }
static long do_futex(void) { return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0) < 0 && errno == EAGAIN ? 0 : errno ? -1 : 0; }
static long do_futex_timed(void) { return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &long_time, NULL, 0); }
static long do_mq(void) { return mq_receive(posix_queue, room, sizeof(room), NULL); }
static long do_splice(void) { int out = MUST(open("/dev/null", O_WRONLY)); long got = splice(p[0], NULL, out, NULL, 8, 0); int e = errno; close(out); errno = e; return got; }
static long do_poll(void) { struct pollfd w = { p[0], POLLIN, 0 }; return poll(&w, 1, LONG_S * 1000); }
static long do_ppoll(void) { struct pollfd w = { p[0], POLLIN, 0 }; sigset_t none = set_of(SIGSYS); return ppoll(&w, 1, &long_time, &none); }
static long do_select(void) { fd_set set; FD_ZERO(&set); FD_SET(p[0], &set); struct timeval t = { LONG_S, 0 }; return select(p[0] + 1, &set, NULL, NULL, &t); }
static long do_pselect(void) { fd_set set; FD_ZERO(&set); FD_SET(p[0], &set); sigset_t none = set_of(SIGSYS); return pselect(p[0] + 1, &set, NULL, NULL, &long_time, &none); }
static long do_epoll(void) { struct epoll_event e; return epoll_wait(epoll, &e, 1, LONG_S * 1000); }
static long do_epoll_pwait(void) { struct epoll_event e; sigset_t none = set_of(SIGSYS); return epoll_pwait(epoll, &e, 1, LONG_S * 1000, &none); }
static long do_epoll_pwait2(void) { struct epoll_event e; sigset_t none = set_of(0); return epoll_pwait2(epoll, &e, 1, &long_time, &none); }
static long do_sigtimedwait(void) { sigset_t set = set_of(SIGUSR2); return sigtimedwait(&set, NULL, &long_time); }
static long do_sigwaitinfo(void) { sigset_t set = set_of(SIGUSR2); return sigwaitinfo(&set, NULL); }
static long do_sigsuspend(void) { sigset_t none = set_of(SIGUSR2); return sigsuspend(&none); }
static long do_pause(void) { return pause(); }
static long do_nanosleep(void) { struct timespec left = { 0, 0 }; long r = nanosleep(&long_time, &left); return r < 0 && (left.tv_sec < LONG_S / 2 || left.tv_sec >= LONG_S) ? 77 : r; }
static long do_clock(void) { int e = clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL); errno = e; return e ? -1 : 0; }
static long do_clock_abs(void) { struct timespec at; clock_gettime(CLOCK_MONOTONIC, &at); at.tv_sec += LONG_S; int e = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL); errno = e; return e ? -1 : 0; }
/* clang-format on */

static void new_child(void)
{
	child = MUST(fork());
	if (child == 0) {
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
}

static void old_child(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Another process has the lock until it is killed. */
static void hold(int what)
{
	int ready[2];
	char go;
	MUST(pipe(ready));
	holder = MUST(fork());
	if (holder == 0) {
		int fd = MUST(open("lines.txt", O_RDWR));
		struct flock lock = { .l_type = F_WRLCK };
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		MUST(what ? fcntl(fd, F_SETLK, &lock) : flock(fd, LOCK_EX));
		MUST(write(ready[1], "x", 1));
		for (;;)
			pause();
	}
	MUST(read(ready[0], &go, 1));
	close(ready[0]);
	close(ready[1]);
	locked = MUST(open("lines.txt", O_RDWR));
}

static void hold_flock(void)
{
	hold(0);
}
static void hold_record(void)
{
	hold(1);
}

static void let_holder_go(void)
{
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	close(locked);
}

static void receive_timeout(void)
{
	struct timeval t = { LONG_S, 0 };
	MUST(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
}
static void no_timeout(void)
{
	struct timeval t = { 0, 0 };
	MUST(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
}
static void fill_pipe(void)
{
	fcntl(full[1], F_SETFL, O_NONBLOCK);
	while (write(full[1], room, sizeof(room)) > 0)
		;
	fcntl(full[1], F_SETFL, 0);
}
static void empty(void)
{
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	while (read(p[0], room, 64) > 0)
		;
	fcntl(p[0], F_SETFL, 0);
}
static void zero(void)
{
	word = 0;
}
static void flush_signals(void)
{
	sigset_t set = set_of(SIGUSR2);
	struct timespec now = { 0, 0 };
	while (sigtimedwait(&set, NULL, &now) > 0)
		;
}

static const struct {
	const char *name;
	long (*call)(void);
	void (*release)(void), (*before)(void), (*after)(void);
} calls[] = {
	{ "read pipe", do_read, feed_pipe, NULL, empty },
	{ "readv pipe", do_readv, feed_pipe, NULL, empty },
	{ "write pipe", do_write, drain_pipe, fill_pipe, NULL },
	{ "read terminal", do_tty, feed_tty, NULL, NULL },
	{ "recv", do_recv, feed_socket, NULL, NULL },
	{ "recvmsg", do_recvmsg, feed_socket, NULL, NULL },
	{ "read socket", do_socket_read, feed_socket, NULL, NULL },
	{ "recv with timeout", do_recv, feed_socket, receive_timeout, no_timeout },
	{ "accept", do_accept, call_up, NULL, NULL },
	{ "flock", do_flock, end_holder, hold_flock, let_holder_go },
	{ "fcntl F_SETLKW", do_setlkw, end_holder, hold_record, let_holder_go },
	{ "fcntl F_OFD_SETLKW", do_ofd, end_holder, hold_record, let_holder_go },
	{ "waitpid", do_waitpid, end_child, new_child, old_child },
	{ "waitid", do_waitid, end_child, new_child, old_child },
	{ "read eventfd", do_event, feed_event, NULL, NULL },
	{ "read timerfd", do_timer, feed_timer, NULL, NULL },
	{ "read signalfd", do_signalfd, feed_signal, NULL, flush_signals },
	{ "read inotify", do_inotify, feed_notes, NULL, NULL },
	{ "msgrcv", do_msgrcv, feed_queue, NULL, NULL },
	{ "semop", do_semop, feed_sems, NULL, NULL },
	{ "semtimedop", do_semtimedop, feed_sems, NULL, NULL },
	{ "futex", do_futex, feed_word, zero, NULL },
	{ "futex with timeout", do_futex_timed, feed_word, zero, NULL },
	{ "mq_receive", do_mq, feed_posix, NULL, NULL },
	{ "splice", do_splice, feed_pipe, NULL, empty },
	{ "poll", do_poll, feed_pipe, empty, empty },
	{ "ppoll", do_ppoll, feed_pipe, NULL, empty },
	{ "select", do_select, feed_pipe, NULL, empty },
	{ "pselect", do_pselect, feed_pipe, NULL, empty },
	{ "epoll_wait", do_epoll, feed_pipe, NULL, empty },
	{ "epoll_pwait", do_epoll_pwait, feed_pipe, NULL, empty },
	{ "epoll_pwait2", do_epoll_pwait2, feed_pipe, NULL, empty },
	{ "sigtimedwait", do_sigtimedwait, feed_signal, NULL, flush_signals },
	{ "sigwaitinfo", do_sigwaitinfo, feed_signal, NULL, flush_signals },
	{ "sigsuspend", do_sigsuspend, nothing, NULL, NULL },
	{ "pause", do_pause, nothing, NULL, NULL },
	{ "nanosleep", do_nanosleep, nothing, NULL, NULL },
	{ "clock_nanosleep", do_clock, nothing, NULL, NULL },
	{ "clock_nanosleep absolute", do_clock_abs, nothing, NULL, NULL },
};

static void prepare(void)
{
	struct sockaddr_un name = { AF_UNIX, "socket" };
	struct epoll_event want = { .events = EPOLLIN };
	struct termios raw;
	sigset_t usr2 = set_of(SIGUSR2);
	char queue_name[64];
	MUST(pipe(p));
	MUST(pipe(full));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	listener = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	MUST(listen(listener, 8));
	MUST(openpty(&tty, &slave, NULL, NULL, NULL));
	MUST(tcgetattr(slave, &raw));
	raw.c_lflag &= ~ECHO;
	MUST(tcsetattr(slave, TCSANOW, &raw));
	event = MUST(eventfd(0, 0));
	timer = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
	MUST(sigprocmask(SIG_BLOCK, &usr2, NULL));
	sigs = MUST(signalfd(-1, &usr2, 0));
	notes = MUST(inotify_init());
	MUST(inotify_add_watch(notes, ".", IN_MOVE));
	queue = MUST(msgget(IPC_PRIVATE, 0600));
	sems = MUST(semget(IPC_PRIVATE, 1, 0600));
	snprintf(queue_name, sizeof(queue_name), "/eintr-%d", getpid());
	posix_queue = MUST(mq_open(queue_name, O_RDWR | O_CREAT, 0600, NULL));
	mq_unlink(queue_name);
	epoll = MUST(epoll_create1(0));
	MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, p[0], &want));
}

int main(void)
{
	prepare();
	for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (int restart = 0; restart < 2; restart++) {
			if (calls[i].before)
				calls[i].before();
			release_it = calls[i].release;
			releasing = restart;
			signals = 0;
			on(SIGALRM, tick, restart ? SA_RESTART : 0);
			alarms(1500);
			errno = 0;
			inside = 1;
			long result = calls[i].call();
			int error = errno;
			inside = 0;
			alarms(0);
			if (calls[i].after)
				calls[i].after();
			if (result < 0)
				printf("%s%s: %s\n", calls[i].name, restart ? " with SA_RESTART" : "",
				       strerrorname_np(error));
			else
				printf("%s%s: %ld\n", calls[i].name, restart ? " with SA_RESTART" : "", result);
		}
	msgctl(queue, IPC_RMID, NULL);
	semctl(sems, 0, IPC_RMID);
	return 0;
}
