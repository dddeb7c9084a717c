/* The kernel's table of unix sockets (sock_diag) of the network namespace we are in. */
#ifndef HPOOL_UNIX_DIAG_H
#define HPOOL_UNIX_DIAG_H

#include <stdbool.h>
#include <stdint.h>

struct hp_unix_socket {
	uint64_t inode, peer; /* peer 0: none */
	uint64_t name_device, name_inode; /* of the file that it was bound to, or its door; 0: none */
	uint32_t waiting, backlog, shutdown,
		state; /* state: as TCP's; waiting: connections not accepted, of one that listens */
	uint32_t name_bytes;
	char name[112]; /* sun_path, as it was bound */
	bool held; /* by a process of the job */
};

/* 0 or -errno. */
int hp_unix_sockets_read(void);
void hp_unix_socket_hold(uint64_t inode);
bool hp_unix_socket_held(uint64_t inode);
bool hp_unix_socket_find(uint64_t inode, struct hp_unix_socket *);

#endif
