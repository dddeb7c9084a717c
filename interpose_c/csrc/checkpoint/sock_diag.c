/* See sock_diag.h. */
#include "sock_diag.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static int receive(int fd, int (*take)(const struct nlmsghdr *))
{
	static _Alignas(8) char buffer[1 << 15];
	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof buffer, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EPIPE;
		unsigned left = (unsigned)got;
		for (const struct nlmsghdr *head = (const void *)buffer; NLMSG_OK(head, left);
		     head = NLMSG_NEXT(head, left)) {
			if (head->nlmsg_type == NLMSG_DONE)
				return 0;
			if (head->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(head))->error;
			int failed = take(head);
			if (failed)
				return failed;
		}
	}
}

int hp_sock_diag(const void *question, size_t bytes, int (*take)(const struct nlmsghdr *))
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	int failed = send(fd, question, bytes, 0) < 0 ? -errno : receive(fd, take);
	close(fd);
	return failed;
}
