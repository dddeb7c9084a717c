/* Options of sockets, as they were.
 *
 * SO_REUSEADDR is not among them: while connections are made all have it (make_inet.c). Groups are joined when all
 * have what waited in them.
 */
#include "restore.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

static bool is_general(const struct hp_image_option *option, int name)
{
	return option->level == SOL_SOCKET && (int)option->name == name;
}

static bool is_group(const struct hp_image_option *option)
{
	return (option->level == IPPROTO_IP || option->level == IPPROTO_IPV6) && option->name == MCAST_MSFILTER;
}

int hp_ends_of(const struct hp_image_object *object)
{
	switch (object->extra[3] & (HP_ENDS_RECEIVING | HP_ENDS_SENDING)) {
	case HP_ENDS_RECEIVING:
		return SHUT_RD;
	case HP_ENDS_SENDING:
		return SHUT_WR;
	case HP_ENDS_RECEIVING | HP_ENDS_SENDING:
		return SHUT_RDWR;
	default:
		return -1;
	}
}

int hp_socket_options(const struct hp_image *of, uint32_t object, int fd)
{
	HP_EACH(of, hp_image_option, HP_R_OPTION, option)
	if (option->object == object && !is_general(option, SO_REUSEADDR) && !is_general(option, SO_ATTACH_FILTER) &&
	    !is_general(option, SO_LOCK_FILTER) && !is_group(option) &&
	    setsockopt(fd, (int)option->level, (int)option->name, option + 1, option->bytes))
		return -1;
	return 0;
}

int hp_socket_groups(const struct hp_image *of, uint32_t object, int fd)
{
	HP_EACH(of, hp_image_option, HP_R_OPTION, option)
	{
		const struct group_filter *wanted = (const void *)(option + 1);
		if (option->object != object || !is_group(option))
			continue;
		if (option->bytes < GROUP_FILTER_SIZE(0)) {
			errno = EBADMSG;
			return -1;
		}
		struct group_req group = { .gr_interface = wanted->gf_interface, .gr_group = wanted->gf_group };
		bool all = wanted->gf_fmode == MCAST_EXCLUDE && wanted->gf_numsrc == 0; /* from everybody */
		if (setsockopt(fd, (int)option->level, MCAST_JOIN_GROUP, &group, sizeof group) ||
		    (!all && setsockopt(fd, (int)option->level, MCAST_MSFILTER, wanted, option->bytes)))
			return -1;
	}
	return 0;
}

int hp_socket_filter(const struct hp_image *of, uint32_t object, int fd)
{
	HP_EACH(of, hp_image_option, HP_R_OPTION, option)
	if (option->object == object && is_general(option, SO_ATTACH_FILTER)) {
		size_t count = option->bytes / sizeof(struct sock_filter);
		struct sock_fprog program = { (unsigned short)count, (struct sock_filter *)(option + 1) };
		if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program))
			return -1;
	}
	HP_EACH(of, hp_image_option, HP_R_OPTION, option)
	if (option->object == object && is_general(option, SO_LOCK_FILTER) &&
	    setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, option + 1, option->bytes))
		return -1;
	return 0;
}
