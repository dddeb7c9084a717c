/* Unix sockets with names. */
#ifndef NAMES_H
#define NAMES_H
#include "again.h"
#include <sys/socket.h>
#include <sys/un.h>

static inline struct sockaddr_un at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strcpy(address.sun_path, path);
	return address;
}

static inline int bound(int type, const char *path)
{
	struct sockaddr_un address = at(path);
	int fd = socket(AF_UNIX, type, 0);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
	return fd;
}

#endif
