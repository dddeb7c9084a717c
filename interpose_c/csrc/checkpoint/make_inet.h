/* What the sockets of the Internet families share while they are made again. */
#ifndef HPOOL_MAKE_INET_H
#define HPOOL_MAKE_INET_H

#include "restore.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* Of a socket's record: its own address (0), its partner's (1). */
const struct sockaddr *hp_inet_name(const struct hp_image_object *, int which);
socklen_t hp_inet_length(const struct hp_image_object *);
uint16_t hp_inet_port(const struct hp_image_object *); /* as on the wire */

/* They end PID 1, and with it the restore, if it cannot be done. */
_Noreturn void hp_inet_fail(const char *what);
void hp_inet_must(int result, const char *what);
void hp_inet_set(int fd, int level, int name, int value);
int hp_inet_fresh(const struct hp_image_object *);
void hp_inet_bind(const struct hp_image_object *, int fd);
/* At that address, with a port that nobody has: a socket bound there, and its name. */
int hp_inet_bound_beside(const struct sockaddr *at, const struct hp_image_object *like, struct sockaddr_storage *);
/* Until the kernel has an error for it, which nobody is told. */
void hp_inet_await_error(int fd);

/* make_datagrams.c */
void hp_make_datagrams(const struct hp_image *, const struct hp_image_object *, int fd);

#endif
