/* Descriptors that mean more than a file and a position: numbers that an epoll still knows, signals that name a
 * descriptor, files of /proc that are of who opened them, files whose other name is left. */
#include "again.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define EARLIER 3 /* pipes that have had the number one after the other; the last still has it */

static volatile int told, told_of;

static void on_input(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	told++;
	told_of = info->si_fd;
}

static char memory[] = "as it is";

int main(void)
{
	char found[100];
	struct stat about;
	struct sigaction action = { .sa_sigaction = on_input, .sa_flags = SA_SIGINFO };
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(0), pipes[EARLIER][2], ends[2];
	for (int n = 0; n < EARLIER; n++) {
		event.data.u64 = (uint64_t)n;
		CHECK(pipe(pipes[n]) == 0 && dup2(pipes[n][0], 702) == 702);
		CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, 702, &event) == 0);
		if (n + 1 < EARLIER)
			close(702);
	}
	CHECK(sigaction(SIGRTMIN + 3, &action, NULL) == 0 && pipe(ends) == 0 && mkfifo("/tmp/fifo", 0600) == 0);
	int writer = open("/tmp/fifo", O_RDWR), reader = open("/tmp/fifo", O_RDONLY | O_NONBLOCK);
	const int of[][2] = { { ends[0], ends[1] }, { reader, writer } };
	for (int n = 0; n < 2; n++)
		CHECK(fcntl(of[n][0], F_SETOWN, getpid()) == 0 && fcntl(of[n][0], F_SETSIG, SIGRTMIN + 3) == 0 &&
		      fcntl(of[n][0], F_SETFL, O_NONBLOCK | O_ASYNC) == 0);
	pid_t child = fork();
	if (child == 0)
		pause();
	snprintf(found, sizeof found, "/proc/%d/stat", child);
	int its_stat = open(found, O_RDONLY), own = open("/proc/self/mem", O_RDWR),
	    maps = open("/proc/self/maps", O_RDONLY), mounts = open("/proc/self/mounts", O_RDONLY);
	event.events = EPOLLPRI;
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, mounts, &event) == 0);
	CHECK(dup2(mounts, 703) == 703 && epoll_ctl(epoll, EPOLL_CTL_ADD, 703, &event) == 0 && close(703) == 0);
	int again = dup(maps), direct = open("/tmp/direct", O_CREAT | O_RDWR | O_DIRECT, 0600);
	CHECK(read(maps, found, 10) == 10);
	int file = open("/tmp/one", O_CREAT | O_RDWR, 0600), empty = open("/tmp/none", O_CREAT | O_RDWR, 0600);
	CHECK(link("/tmp/one", "/tmp/other") == 0 && unlink("/tmp/one") == 0 && ftruncate(file, 8192) == 0);
	CHECK(link("/tmp/none", "/tmp/nothing") == 0 && unlink("/tmp/none") == 0);
	char *mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	int nameless = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	CHECK(nameless >= 0 && mapped != MAP_FAILED && write(nameless, "later", 5) == 5);

	linger();

	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, mounts, &event) == -1 && errno == EEXIST);
	CHECK(fcntl(703, F_GETFD) == -1 && dup2(mounts, 703) == 703);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, 703, &event) == -1 && errno == EEXIST);
	for (int n = 0; n < EARLIER; n++) {
		CHECK(epoll_wait(epoll, &event, 1, 0) == 0 && write(pipes[n][1], "x", 1) == 1);
		CHECK(epoll_wait(epoll, &event, 1, 0) == 1 && event.data.u64 == (uint64_t)n);
		CHECK(read(pipes[n][0], found, 1) == 1);
	}
	for (int n = 0; n < 2; n++) {
		told = 0;
		CHECK(write(of[n][1], "x", 1) == 1 && told == 1 && told_of == of[n][0]);
	}
	CHECK(pread(its_stat, found, 20, 0) > 0 && atoi(found) == child);
	CHECK(pread(own, found, sizeof memory, (off_t)(long)memory) == sizeof memory && !strcmp(found, memory));
	CHECK(lseek(again, 0, SEEK_CUR) == 10 && read(maps, found, 10) == 10 && lseek(again, 0, SEEK_CUR) == 20);
	CHECK(fcntl(direct, F_GETFL) & O_DIRECT);
	int other = open("/tmp/other", O_RDWR), nothing = open("/tmp/nothing", O_RDWR);
	mapped[0] = 'm';
	CHECK(pread(other, found, 1, 0) == 1 && found[0] == 'm' && pwrite(file, "f", 1, 4096) == 1 &&
	      mapped[4096] == 'f');
	CHECK(write(empty, "e", 1) == 1 && read(nothing, found, 2) == 1);
	snprintf(found, sizeof found, "/proc/self/fd/%d", nameless);
	CHECK(linkat(AT_FDCWD, found, AT_FDCWD, "/tmp/named", AT_SYMLINK_FOLLOW) == 0);
	CHECK(stat("/tmp/named", &about) == 0 && about.st_size == 5);
	snprintf(found, sizeof found, "/proc/self/fd/%d", file);
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	return done();
}
