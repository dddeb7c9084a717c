/* Addresses of unix sockets, for connections and for messages. */
#ifndef HPOOL_SOCKETS_H
#define HPOOL_SOCKETS_H

#include "core.h"

#define FAMILY_UNIX 1
#define PATH_ROOM 108

struct hp_sockaddr_un {
	uint16_t family;
	char path[PATH_ROOM + 1];
};

/* The path of a named unix address of the program's, which is copied; or NULL. */
const char *hp_socket_path(long user, long length, struct hp_sockaddr_un *address);
/* The kernel knows a socket of home's by the name under which it was bound: is it
 * one, then the address has the name that the program gave it. */
bool hp_socket_given_name(struct hp_sockaddr_un *address);
/* The name may still have to be fetched. -ECONNREFUSED: it is an ordinary file's; else 0. */
long hp_socket_find(int fd, const char *path);

#endif
