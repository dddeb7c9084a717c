/* Multicast groups that a socket is a member of.
 *
 * The kernel lists them by device, not by socket (/proc/net/igmp, igmp6); but a socket tells from whom it hears a
 * group (MCAST_MSFILTER), and that it is no member. So each is asked for each group there is.
 */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SENDERS_MOST 64

struct group {
	uint32_t device;
	struct sockaddr_storage name;
};

static struct group *groups;
static unsigned count, room;

static bool add(uint32_t device, int family, const void *address, size_t bytes)
{
	if (count == room) {
		struct group *larger = realloc(groups, (room = room ? room * 2 : 16) * sizeof *larger);
		if (larger == NULL)
			return hp_refuse("no memory");
		groups = larger;
	}
	struct group *to = &groups[count++];
	*to = (struct group){ .device = device, .name.ss_family = (sa_family_t)family };
	memcpy((char *)&to->name + (family == AF_INET ? offsetof(struct sockaddr_in, sin_addr) :
							offsetof(struct sockaddr_in6, sin6_addr)),
	       address, bytes);
	return true;
}

/* A line for a device, then one for each of its groups: the address as a number of this machine's. */
static bool take_line(const char *line, uint32_t *device)
{
	uint32_t address;
	if (line[0] != '\t')
		return sscanf(line, "%u", device) >= 0;
	return sscanf(line, " %8x", &address) != 1 || add(*device, AF_INET, &address, sizeof address);
}

static bool take_line_6(const char *line, uint32_t *device)
{
	char digits[33];
	uint8_t address[16];
	if (sscanf(line, "%u %*s %32[0-9a-f]", device, digits) != 2 || strlen(digits) != 32)
		return true;
	for (int n = 0; n < 16; n++)
		if (sscanf(digits + 2 * n, "%2hhx", &address[n]) != 1)
			return true;
	return add(*device, AF_INET6, address, sizeof address);
}

/* A kernel without that family has no such file. */
static bool read_groups(const char *path, bool (*take)(const char *, uint32_t *))
{
	char line[200];
	uint32_t device = 0;
	bool fine = true;
	int fd = openat(hp_proc, path, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	if (file == NULL)
		return errno == ENOENT || hp_refuse("the multicast groups cannot be listed: %s", strerror(errno));
	while (fine && fgets(line, sizeof line, file))
		fine = take(line, &device);
	fclose(file);
	return fine;
}

static bool read_all(void)
{
	static bool have;
	have = have || (read_groups("self/net/igmp", take_line) && read_groups("self/net/igmp6", take_line_6));
	return have;
}

bool hp_dump_groups(struct hp_dump *dump, pid_t pid, int number, int fd, uint32_t object)
{
	static union {
		struct group_filter filter;
		char senders[GROUP_FILTER_SIZE(SENDERS_MOST)];
	} told;
	if (!read_all())
		return false;
	for (unsigned n = 0; n < count; n++) {
		int level = groups[n].name.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
		socklen_t length = sizeof told;
		memset(&told, 0, sizeof told);
		told.filter.gf_interface = groups[n].device;
		told.filter.gf_group = groups[n].name;
		told.filter.gf_numsrc = SENDERS_MOST;
		if (getsockopt(fd, level, MCAST_MSFILTER, &told, &length))
			continue; /* no member, or not of that family */
		if (told.filter.gf_numsrc > SENDERS_MOST)
			return hp_refuse("process %d: descriptor %d hears a multicast group from more than %d senders",
					 (int)pid, number, SENDERS_MOST);
		if (!dump->own_network)
			return hp_refuse(
				"process %d: descriptor %d has joined a multicast group of the machine's network "
				"(with a network of the job's own it could travel)",
				(int)pid, number);
		hp_dump_option(dump, object, level, MCAST_MSFILTER, &told, GROUP_FILTER_SIZE(told.filter.gf_numsrc));
	}
	return true;
}
