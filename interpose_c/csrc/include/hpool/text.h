/* Numbers in text, without a libc. */
#ifndef HPOOL_TEXT_H
#define HPOOL_TEXT_H

#include <stdint.h>

/* In decimal; at most 20 characters, and no NUL. Returns where it ends. */
static inline char *hp_put_number(char *to, uint64_t value)
{
	unsigned digits = 1;

	for (uint64_t rest = value; rest >= 10; rest /= 10)
		digits++;
	for (unsigned i = digits; i > 0; i--, value /= 10)
		to[i - 1] = (char)('0' + value % 10);
	return to + digits;
}

#define HP_FD_LINK_MAX 36u

/* The name under which the kernel finds what a descriptor stands for. /proc/self is
 * empty once the main thread has left. */
static inline const char *hp_fd_link(char room[HP_FD_LINK_MAX], int fd)
{
	static const char prefix[] = "/proc/thread-self/fd/";

	for (unsigned i = 0; i < sizeof prefix - 1; i++)
		room[i] = prefix[i];
	*hp_put_number(room + sizeof prefix - 1, (uint64_t)(uint32_t)fd) = 0;
	return room;
}

#endif
