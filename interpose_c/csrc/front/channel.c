/* Maps the memory shared with the starter, when there is one. */
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "front.h"

struct hp_channel *hp_channel;
const struct hp_attr_entry *hp_attributes;

/* NULL: there is no such file, or (*failed) no room for it. */
static void *map_file(const char *path, int open_flags, int protection, uint64_t size, long *failed)
{
	long fd = hp_syscall4(__NR_openat, AT_FDCWD, (long)path, open_flags | O_CLOEXEC, 0), address;

	if (fd < 0)
		return NULL;
	address = hp_syscall6(__NR_mmap, 0, (long)size, protection, MAP_SHARED, fd, 0);
	hp_syscall1(__NR_close, fd);
	if (address < 0 && address > -4096) {
		*failed = address;
		return NULL;
	}
	hp_shim_range_add((unsigned long)address, size);
	return (void *)address;
}

long hp_channel_map(void)
{
	long failed = 0;
	struct hp_channel *channel =
		map_file(HP_CHANNEL_PATH, O_RDWR, PROT_READ | PROT_WRITE, sizeof *channel, &failed);
	const struct hp_attr_entry *attributes;

	if (!channel)
		return failed;
	if (channel->magic != HP_SHM_MAGIC || channel->version != HP_SHM_VERSION || channel->size < sizeof *channel)
		return 0;
	attributes = map_file(HP_ATTRS_PATH, O_RDONLY, PROT_READ, HP_ATTR_COUNT * sizeof *attributes, &failed);
	if (!attributes)
		return failed;
	hp_attributes = attributes;
	hp_channel = channel;
	hp_observed = &channel->observed;
	return 0;
}
