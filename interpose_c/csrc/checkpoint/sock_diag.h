/* The kernel's tables of sockets, of the network namespace we are in (sock_diag(7)). */
#ifndef HPOOL_SOCK_DIAG_H
#define HPOOL_SOCK_DIAG_H

#include <linux/netlink.h>
#include <stddef.h>

/* One question, header and all, of type SOCK_DIAG_BY_FAMILY; `take` sees each answer and says 0 or -errno.
 * 0 or -errno. */
int hp_sock_diag(const void *question, size_t bytes, int (*take)(const struct nlmsghdr *));

#endif
