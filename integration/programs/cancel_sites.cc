/* pthread_cancel of a thread that waits, at every kind of call: destructors and cleanup handlers run, and nothing of it is held.
 * timeout: 120
 */
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include "sig.h"

static int p[2], full[2], pair[2], listener, locked, epoll, queue;
static sem_t sem;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_t sleeper;
static volatile int destroyed, cleaned, depth;
static volatile pid_t tid;
static char bytes[65536];

struct Guard {
	~Guard() { destroyed = destroyed + 1; }
};

static void clean(void *)
{
	cleaned = cleaned + 1;
}

static const struct {
	const char *name;
	void (*call)();
} calls[] = {
	{ "read", [] { read(p[0], bytes, 1); } },
	{ "write", [] { write(full[1], bytes, sizeof(bytes)); } },
	{ "recv", [] { recv(pair[0], bytes, 1, 0); } },
	{ "accept", [] { accept(listener, nullptr, nullptr); } },
	{ "poll", [] { pollfd w = { p[0], POLLIN, 0 }; poll(&w, 1, -1); } },
	{ "ppoll", [] { pollfd w = { p[0], POLLIN, 0 }; sigset_t none = set_of(0); ppoll(&w, 1, nullptr, &none); } },
	{ "select", [] { fd_set set; FD_ZERO(&set); FD_SET(p[0], &set); select(p[0] + 1, &set, nullptr, nullptr, nullptr); } },
	{ "pselect", [] { fd_set set; FD_ZERO(&set); FD_SET(p[0], &set); sigset_t none = set_of(0);
			  pselect(p[0] + 1, &set, nullptr, nullptr, nullptr, &none); } },
	{ "epoll_wait", [] { epoll_event e; epoll_wait(epoll, &e, 1, -1); } },
	{ "nanosleep", [] { timespec t = { 1000, 0 }; nanosleep(&t, nullptr); } },
	{ "pause", [] { pause(); } },
	{ "sigsuspend", [] { sigset_t none = set_of(0); sigsuspend(&none); } },
	{ "sigwait", [] { sigset_t set = set_of(SIGUSR2); int got; sigwait(&set, &got); } },
	{ "sem_wait", [] { sem_wait(&sem); } },
	{ "pthread_cond_wait", [] { pthread_mutex_lock(&mutex);
				    pthread_cleanup_push([](void *m) { pthread_mutex_unlock((pthread_mutex_t *)m); }, &mutex);
				    pthread_cond_wait(&never, &mutex); pthread_cleanup_pop(1); } },
	{ "pthread_join", [] { pthread_join(sleeper, nullptr); } },
	{ "waitpid", [] { waitpid(-1, nullptr, 0); } },
	{ "msgrcv", [] { msgrcv(queue, bytes, 8, 0, 0); } },
	{ "F_SETLKW", [] { struct flock lock = {}; lock.l_type = F_WRLCK; fcntl(locked, F_SETLKW, &lock); } },
	{ "open of a FIFO", [] { open("pipe", O_RDONLY); } },
	{ "open of a FIFO for writing", [] { open("pipe", O_WRONLY | O_CREAT | O_TRUNC, 0600); } },
};

/* A few frames with something to destroy in each. */
__attribute__((noinline)) static void deeper(int levels, void (*call)())
{
	Guard guard;
	depth = levels;
	if (levels > 0)
		deeper(levels - 1, call);
	else
		while (depth == 0) {
			tid = gettid();
			call();
		}
	depth = levels;
}

static void *thread(void *arg)
{
	pthread_cleanup_push(clean, nullptr);
	deeper(3, calls[reinterpret_cast<long>(arg) / 2].call);
	pthread_cleanup_pop(0);
	return nullptr;
}

static void *asynchronous(void *arg)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
	return thread(arg);
}

static pid_t holder()
{
	int ready[2];
	MUST(pipe(ready));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		int fd = MUST(open("lines.txt", O_RDWR));
		struct flock lock = {};
		lock.l_type = F_WRLCK;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		MUST(fcntl(fd, F_SETLK, &lock));
		MUST(write(ready[1], "x", 1));
		for (;;)
			pause();
	}
	MUST(read(ready[0], bytes, 1));
	return pid;
}

int main()
{
	sockaddr_un name = { AF_UNIX, "socket" };
	epoll_event want = {};
	MUST(pipe(p));
	MUST(pipe(full));
	fcntl(full[1], F_SETFL, O_NONBLOCK);
	while (write(full[1], bytes, sizeof(bytes)) > 0)
		;
	fcntl(full[1], F_SETFL, 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	listener = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(bind(listener, (sockaddr *)&name, sizeof(name)));
	MUST(listen(listener, 1));
	MUST(mkfifo("pipe", 0600));
	queue = MUST(msgget(IPC_PRIVATE, 0600));
	epoll = MUST(epoll_create1(0));
	want.events = EPOLLIN;
	MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, p[0], &want));
	sem_init(&sem, 0, 0);
	mask(SIG_BLOCK, SIGUSR2);
	pid_t pid = holder();
	locked = MUST(open("lines.txt", O_RDWR));
	pthread_create(&sleeper, nullptr, [](void *) -> void * { for (;;) pause(); }, nullptr);
	for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (int how = 0; how < 2; how++) {
			int ended = 0;
			destroyed = cleaned = 0;
			for (int round = 0; round < 4; round++) {
				pthread_t one;
				void *result;
				tid = 0;
				pthread_create(&one, nullptr, how ? asynchronous : thread, reinterpret_cast<void *>(2l * i));
				while (tid == 0)
					nap(100);
				until_state(tid, 'S');
				pthread_cancel(one);
				pthread_join(one, &result);
				ended += result == PTHREAD_CANCELED;
			}
			printf("%s%s: ended %d destroyed %d cleaned %d\n", calls[i].name, how ? ", asynchronous" : "", ended,
			       destroyed, cleaned);
		}
	MUST(pthread_mutex_trylock(&mutex));
	kill(pid, SIGKILL);
	msgctl(queue, IPC_RMID, nullptr);
	return 0;
}
