/* delay PID1 PID2 DEVICE MICROSECONDS [BYTES]: a wire that takes its time, and carries so many bytes a second.
 *
 * Owns: one TUN device of that name in the network namespace of each of the
 * two processes; what goes into one comes out of the other so much later. TCP's own
 * ends are the kernel's, so slow start, windows and loss are real; a wire that is
 * full keeps QUEUE_NS of packets, as routers do, and drops the rest. Leaves to
 * others: addresses, and setting the devices up (wire.py). Says "ready" and
 * goes when its input ends; the devices go with it.
 *
 * Packets are as large as the kernel makes them before a network card would
 * cut them (up to 64 KiB, virtio header in front): else 1 GB/s could not be
 * carried with two copies each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES (256ull << 20) /* 50 ms of 5 GB/s; pages are taken when used */
#define LARGEST (68u << 10)
#define AT_ONCE 32
#define QUEUE_NS 200000000ll

struct packet {
	int64_t due_ns;
	uint64_t length; /* 0: the ring goes on at its beginning */
	uint8_t bytes[];
};

struct direction {
	int from, to;
	int64_t delay_ns, bytes_per_s; /* 0: as many as it can */
	int64_t free_ns; /* when the last packet that was taken is on the wire */
	uint8_t *ring;
	uint64_t head, tail, held;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_end(const char *pid, const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	char path[64];
	int space, fd;

	snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
	space = open(path, O_RDONLY | O_CLOEXEC);
	if (space < 0 || setns(space, CLONE_NEWNET))
		die(path);
	close(space);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		die("/dev/net/tun");
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
	if (ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))
		die(device);
	return fd;
}

static struct packet *at(const struct direction *way, uint64_t place)
{
	return (struct packet *)(way->ring + place);
}

/* Room for one more at the tail, or NULL. */
static struct packet *next_free(struct direction *way)
{
	const uint64_t needed = sizeof(struct packet) + LARGEST;

	if (way->tail + needed + sizeof(struct packet) > RING_BYTES) {
		if (way->head > way->tail || way->head < needed || way->held == 0)
			return way->held == 0 ? (way->head = way->tail = 0, at(way, 0)) : NULL;
		at(way, way->tail)->length = 0;
		way->tail = 0;
	}
	if (way->held > 0 && way->tail <= way->head && way->head - way->tail < needed)
		return NULL;
	return at(way, way->tail);
}

static struct packet *first(struct direction *way)
{
	if (way->held == 0)
		return NULL;
	if (at(way, way->head)->length == 0)
		way->head = 0;
	return at(way, way->head);
}

static uint64_t room_of(const struct packet *packet)
{
	return sizeof *packet + ((packet->length + 15) & ~15ull);
}

static void deliver(struct direction *way)
{
	struct packet *packet;

	for (int64_t now = now_ns(); (packet = first(way)) && packet->due_ns <= now; way->held--) {
		if (write(way->to, packet->bytes, packet->length) < 0 && errno == EBADFD)
			die("write");
		way->head += room_of(packet); /* a device that is down loses it: so does a cut wire */
	}
}

static void accept_some(struct direction *way)
{
	for (int i = 0; i < AT_ONCE; i++) {
		struct packet *packet = next_free(way);
		ssize_t length = packet ? read(way->from, packet->bytes, LARGEST) : 0;

		if (length <= 0) {
			if (length < 0 && errno != EAGAIN && errno != EINTR)
				die("read");
			return;
		}
		packet->due_ns = now_ns();
		if (way->bytes_per_s) {
			if (way->free_ns > packet->due_ns + QUEUE_NS)
				continue;
			if (way->free_ns < packet->due_ns)
				way->free_ns = packet->due_ns;
			packet->due_ns = way->free_ns += length * 1000000000ll / way->bytes_per_s;
		}
		packet->due_ns += way->delay_ns;
		packet->length = (uint64_t)length;
		way->tail += room_of(packet);
		way->held++;
	}
}

static void *carry(void *argument)
{
	struct direction *way = argument;

	prctl(PR_SET_TIMERSLACK, 1);
	for (;;) {
		struct packet *packet = first(way);
		struct pollfd ready = { .fd = next_free(way) ? way->from : -1, .events = POLLIN };
		int64_t left = packet ? packet->due_ns - now_ns() : 0;
		struct timespec until = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };

		if (!packet || left > 0)
			ppoll(&ready, 1, packet ? &until : NULL, NULL);
		deliver(way);
		accept_some(way);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct direction ways[2];
	pthread_t thread;
	char byte;
	int ends[2];

	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: delay PID1 PID2 DEVICE MICROSECONDS [BYTES]\n");
		return 2;
	}
	for (int i = 0; i < 2; i++)
		ends[i] = open_end(argv[i + 1], argv[3]);
	for (int i = 0; i < 2; i++) {
		ways[i] = (struct direction){ .from = ends[i], .to = ends[!i], .delay_ns = atoll(argv[4]) * 1000 };
		ways[i].bytes_per_s = argc == 6 ? atoll(argv[5]) : 0;
		ways[i].ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (ways[i].ring == MAP_FAILED || pthread_create(&thread, NULL, carry, &ways[i]))
			die("carry");
	}
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
