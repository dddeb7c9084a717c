/* Listings: home's inode numbers, and nothing of the shim's own. */
#include "core.h"

struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

struct dirent_old {
	uint64_t ino;
	uint64_t off;
	uint16_t reclen;
	char name[]; /* the type stands in the record's last byte */
};

/* Both shapes begin alike. Returns the length that is left. */
static long rewrite(uint8_t *buffer, long length, size_t name_at)
{
	long from = 0, to = 0;

	while (from < length) {
		struct dirent64 *entry = (void *)(buffer + from);
		struct hp_attr_entry attr;
		uint16_t size = entry->reclen;
		const char *name = (const char *)entry + name_at;
		uint8_t *type = name_at == offsetof(struct dirent64, name) ? &entry->type : buffer + from + size - 1;
		bool home = hp_home_attr(entry->ino, &attr);

		if (home && attr.attr.ino) {
			entry->ino = attr.attr.ino;
			*type = attr.attr.mode >> 12 & 15; /* for a socket the mirror has a plain file */
		}
		if (attr.inode && attr.flags & HP_ATTR_HIDDEN && hp_starts(name, HP_PRIVATE_DIR + 1)) {
			from += size;
			continue;
		}
		if (to != from)
			memmove(buffer + to, buffer + from, size);
		to += size;
		from += size;
	}
	return to;
}

static long list(struct hp_call *call, size_t name_at)
{
	struct hp_stat stat;
	long result;

	if (!hp_channel)
		return HP_PASS;
	if (hp_syscall2(__NR_fstat, call->arg[0], (long)&stat) || stat.dev != hp_channel->mirror_dev)
		return HP_PASS;
	do {
		long left;

		result = hp_syscall3(call->nr, call->arg[0], call->arg[1], call->arg[2]);
		if (result <= 0)
			return result;
		left = rewrite((uint8_t *)call->arg[1], result, name_at);
		result = left;
	} while (result == 0); /* only hidden names: 0 would mean the end */
	return result;
}

long hp_call_getdents64(struct hp_call *call)
{
	return list(call, offsetof(struct dirent64, name));
}

long hp_call_getdents(struct hp_call *call)
{
	return list(call, offsetof(struct dirent_old, name));
}
