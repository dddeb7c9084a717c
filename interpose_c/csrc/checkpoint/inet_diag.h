/* The kernel's tables of TCP and UDP sockets (sock_diag) of the network namespace we are in. */
#ifndef HPOOL_INET_DIAG_H
#define HPOOL_INET_DIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hp_inet_end { /* IPv4 as IPv6 has it: mapped; the port as on the wire */
	uint8_t address[16];
	uint16_t port;
};

struct hp_inet_socket {
	uint64_t inode; /* 0: nobody's */
	uint8_t protocol, state; /* state: as <netinet/tcp.h> numbers them */
	uint8_t shutdown; /* 1: receives no more, 2: sends no more */
	struct hp_inet_end ours, theirs;
	uint32_t waiting,
		backlog; /* bytes to be read; of one that listens: connections not accepted, and how many may be */
	pid_t pid; /* who has it, at number `fd`; 0: nobody of the job */
	int fd;
};

/* 0 or -errno. */
int hp_inet_sockets_read(void);
void hp_inet_socket_hold(uint64_t inode, pid_t pid, int fd);
/* NULL: there is none. */
const struct hp_inet_socket *hp_inet_socket_find(uint64_t inode);
const struct hp_inet_socket *hp_inet_socket_partner(const struct hp_inet_socket *);
/* One that listens at that end. */
const struct hp_inet_socket *hp_inet_socket_door(const struct hp_inet_end *);
/* Connections that wait at a door, of which the other end is the job's. */
unsigned hp_inet_socket_callers(const struct hp_inet_socket *door);

#endif
