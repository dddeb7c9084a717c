/* Options of sockets, as they were.
 *
 * SO_REUSEADDR is not among them: while connections are made all have it (make_inet.c).
 */
#include "restore.h"

#include <linux/filter.h>
#include <sys/socket.h>

static bool is_general(const struct hp_image_option *option, int name)
{
	return option->level == SOL_SOCKET && (int)option->name == name;
}

int hp_socket_options(const struct hp_image *of, uint32_t object, int fd)
{
	HP_EACH(of, hp_image_option, HP_R_OPTION, option)
	if (option->object == object && !is_general(option, SO_REUSEADDR) && !is_general(option, SO_ATTACH_FILTER) &&
	    !is_general(option, SO_LOCK_FILTER) &&
	    setsockopt(fd, (int)option->level, (int)option->name, option + 1, option->bytes))
		return -1;
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
