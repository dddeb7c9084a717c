/* Nanoseconds per system call, the least of several rounds: "name ns" lines. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 20000, ROUNDS = 15 };

static int zero, ends[2];

static void call_getppid(void)
{
	syscall(SYS_getppid);
}

static void call_stat(void)
{
	struct stat found;
	stat("/dev/null", &found);
}

static void call_open(void)
{
	close(open("/dev/null", O_RDONLY));
}

static void call_read(void)
{
	char byte;
	(void)!read(zero, &byte, 1);
}

static void call_ioctl(void)
{
	int waiting;
	ioctl(ends[0], FIONREAD, &waiting);
}

static void call_socket(void)
{
	close(socket(AF_UNIX, SOCK_STREAM, 0));
}

static double now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void measure(const char *name, void (*call)(void))
{
	double least = 1e18;
	for (int round = 0; round < ROUNDS; round++) {
		double start = now_ns();
		for (int n = 0; n < CALLS; n++)
			call();
		double each = (now_ns() - start) / CALLS;
		least = each < least ? each : least;
	}
	printf("%s %.1f\n", name, least);
}

int main(void)
{
	zero = open("/dev/zero", O_RDONLY);
	if (zero < 0 || pipe(ends))
		return 1;
	measure("getppid", call_getppid);
	measure("stat", call_stat);
	measure("open+close", call_open);
	measure("read", call_read);
	measure("ioctl", call_ioctl);
	measure("socket+close", call_socket);
	return 0;
}
