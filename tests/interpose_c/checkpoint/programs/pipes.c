/* Pipes with content, both ways, of several sizes; a FIFO by name; ends that were closed. */
#include "again.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

int main(void)
{
	static char many[300000], back[300000];
	int small[2], large[2], shut[2], broken[2], fifo, fifo_in;
	signal(SIGPIPE, SIG_IGN);
	for (unsigned n = 0; n < sizeof many; n++)
		many[n] = (char)(n * 7 + n / 251);
	CHECK(pipe(small) == 0 && pipe2(large, O_NONBLOCK | O_CLOEXEC) == 0 && pipe(shut) == 0 && pipe(broken) == 0);
	CHECK(fcntl(large[1], F_SETPIPE_SZ, 1 << 19) == 1 << 19);
	CHECK(write(small[1], "hello", 5) == 5 && write(large[1], many, sizeof many) == sizeof many);
	CHECK(write(shut[1], "last", 4) == 4);
	close(shut[1]);
	close(broken[0]);
	CHECK(mkfifo("/tmp/fifo", 0640) == 0);
	fifo_in = open("/tmp/fifo", O_RDONLY | O_NONBLOCK);
	fifo = open("/tmp/fifo", O_WRONLY);
	CHECK(fifo_in >= 0 && fifo >= 0 && write(fifo, "by name", 7) == 7);
	int copy = dup(large[0]);
	linger();
	CHECK(read(small[0], back, sizeof back) == 5 && !memcmp(back, "hello", 5));
	CHECK(fcntl(large[1], F_GETPIPE_SZ) == 1 << 19 && fcntl(large[0], F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(large[0], F_GETFD) == FD_CLOEXEC && fcntl(copy, F_GETFD) == 0 &&
	      fcntl(small[0], F_GETFL) == O_RDONLY);
	ssize_t got = read(copy, back, 1000);
	CHECK(got == 1000);
	CHECK(read(large[0], back + 1000, sizeof back - 1000) == sizeof many - 1000 &&
	      !memcmp(many, back, sizeof many));
	CHECK(read(large[0], back, 1) < 0 && errno == EAGAIN);
	CHECK(read(shut[0], back, 10) == 4 && read(shut[0], back, 10) == 0);
	CHECK(write(broken[1], "x", 1) < 0 && errno == EPIPE);
	CHECK(read(fifo_in, back, 10) == 7 && !memcmp(back, "by name", 7));
	close(fifo);
	CHECK(read(fifo_in, back, 10) == 0);
	CHECK(write(small[1], "more", 4) == 4 && read(small[0], back, 10) == 4);
	return done();
}
