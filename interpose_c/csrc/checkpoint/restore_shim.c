/* The shim of a restored process: its memory came from the image, its mirror and channel are new. */
#include "home.h"
#include "restore.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "hpool/forget.h"

#define LOADER_MOST (4u << 20)
#define TABLE_BYTES_MOST (1u << 20)

bool hp_loader_find(const char *magic, size_t length, void *table, size_t size)
{
	uint8_t *bytes = malloc(LOADER_MOST);
	int fd = open(HP_LOADER, O_RDONLY | O_CLOEXEC);
	ssize_t got = bytes && fd >= 0 ? read(fd, bytes, LOADER_MOST) : -1;
	const uint8_t *found = got > 0 ? memmem(bytes, (size_t)got, magic, length) : NULL;
	bool whole = found && (size_t)(bytes + got - found) >= size;
	if (whole)
		memcpy(table, found, size);
	free(bytes);
	if (fd >= 0)
		close(fd);
	return whole;
}

/* One without core knows nothing. */
static const struct hp_forget *find_table(void)
{
	static struct hp_forget table;
	static bool looked, found;
	if (!looked)
		found = hp_loader_find(HP_FORGET_MAGIC, sizeof HP_FORGET_MAGIC, &table, sizeof table);
	looked = true;
	return found ? &table : NULL;
}

/* Only what has content in the image: the rest is zeros already. */
static bool zero(struct hp_restored *to, uint64_t address, uint64_t bytes)
{
	static const uint8_t zeros[HP_IMAGE_PAGE];
	HP_EACH(to->image, hp_image_run, HP_R_RUN, run)
	{
		uint64_t start = run->at > address ? run->at : address;
		uint64_t end = run->at + run->bytes < address + bytes ? run->at + run->bytes : address + bytes;
		if (run->object || run->pid != to->process->pid)
			continue;
		for (uint64_t part; start < end; start += part) {
			part = end - start < sizeof zeros ? end - start : sizeof zeros;
			if (hp_remote_write(to->leader.tid, start, zeros, part))
				return hp_refuse("process %d: its shim cannot be told to forget", (int)run->pid);
		}
	}
	return true;
}

bool hp_restore_shim(struct hp_restored *to)
{
	char exe[HP_EXE_MAX + 1] = "";
	const struct hp_forget *table = hp_home_is_there() ? find_table() : NULL;
	if (table == NULL)
		return true;
	for (unsigned n = 0; n < HP_FORGET_MOST && table->of[n].bytes; n++)
		if (table->of[n].bytes > TABLE_BYTES_MOST ||
		    !zero(to, (uint64_t)table->of[n].address, table->of[n].bytes))
			return false;
	if (hp_remote_read(to->leader.tid, (uint64_t)table->exe, exe, sizeof exe - 1) == 0)
		hp_home_publish(to->process->pid, exe);
	return true;
}
