/* See unix_diag.h. */
#include "unix_diag.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "sock_diag.h"

static struct hp_unix_socket *sockets;
static unsigned count, room;

static struct hp_unix_socket *find(uint64_t inode)
{
	for (unsigned n = 0; n < count; n++)
		if (sockets[n].inode == inode)
			return &sockets[n];
	return NULL;
}

static int add(const struct nlmsghdr *answer)
{
	const struct unix_diag_msg *told = NLMSG_DATA(answer);
	int bytes = (int)NLMSG_PAYLOAD(answer, sizeof *told);
	if (count == room) {
		struct hp_unix_socket *larger = realloc(sockets, (room = room ? room * 2 : 64) * sizeof *larger);
		if (larger == NULL)
			return -ENOMEM;
		sockets = larger;
	}
	struct hp_unix_socket *to = &sockets[count++];
	*to = (struct hp_unix_socket){ .inode = told->udiag_ino, .state = told->udiag_state };
	for (const struct rtattr *part = (const void *)(told + 1); RTA_OK(part, bytes); part = RTA_NEXT(part, bytes)) {
		const void *value = RTA_DATA(part);
		uint32_t length = (uint32_t)RTA_PAYLOAD(part);
		if (part->rta_type == UNIX_DIAG_NAME && length <= sizeof to->name) {
			memcpy(to->name, value, length);
			to->name_bytes = length;
		} else if (part->rta_type == UNIX_DIAG_VFS && length >= sizeof(struct unix_diag_vfs)) {
			const struct unix_diag_vfs *file = value;
			to->name_inode = file->udiag_vfs_ino;
			/* as the kernel has it inside */
			to->name_device = makedev(file->udiag_vfs_dev >> 20, file->udiag_vfs_dev & 0xfffff);
		} else if (part->rta_type == UNIX_DIAG_PEER && length >= 4) {
			uint32_t peer;
			memcpy(&peer, value, 4);
			to->peer = peer;
		} else if (part->rta_type == UNIX_DIAG_RQLEN && length >= 8) {
			memcpy(&to->waiting, value, 4);
			memcpy(&to->backlog, (const char *)value + 4, 4);
		} else if (part->rta_type == UNIX_DIAG_SHUTDOWN && length >= 1) {
			to->shutdown = *(const uint8_t *)value;
		}
	}
	return 0;
}

int hp_unix_sockets_read(void)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req ask;
	} question = {
		.head = { .nlmsg_len = sizeof question,
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.ask = { .sdiag_family = AF_UNIX,
			 .udiag_states = ~0u,
			 .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN },
	};
	return hp_sock_diag(&question, sizeof question, add);
}

void hp_unix_socket_hold(uint64_t inode)
{
	struct hp_unix_socket *found = find(inode);
	if (found)
		found->held = true;
}

bool hp_unix_socket_held(uint64_t inode)
{
	struct hp_unix_socket *found = find(inode);
	return found && found->held;
}

bool hp_unix_socket_find(uint64_t inode, struct hp_unix_socket *to)
{
	struct hp_unix_socket *found = find(inode);
	if (found)
		*to = *found;
	return found != NULL;
}
