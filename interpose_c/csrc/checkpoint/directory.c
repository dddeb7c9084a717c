/* Where a directory of the job's scratch is read on from.
 *
 * A position is a matter of the directory that it was read in, and another one's where that is made again. How
 * many entries lie before it is not, as names are made in the order that gives the same one (dump_names.c).
 */
#include "checkpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

struct entry { /* struct linux_dirent64 */
	uint64_t inode;
	int64_t next;
	uint16_t bytes;
};

/* Until `most` entries, or the one behind which `position` is; *next: where the last of them ends. */
static uint64_t read_on(int fd, uint64_t most, int64_t position, int64_t *next)
{
	static _Alignas(8) uint8_t room[1 << 15];
	uint64_t count = 0;
	for (long got; (got = syscall(SYS_getdents64, fd, room, sizeof room)) > 0;)
		for (long at = 0; at < got; at += ((const struct entry *)(room + at))->bytes) {
			*next = ((const struct entry *)(room + at))->next;
			if (++count == most || *next == position)
				return count;
		}
	return 0;
}

uint64_t hp_directory_entries(int fd, int64_t position)
{
	char path[32];
	int64_t next;
	snprintf(path, sizeof path, "self/fd/%d", fd);
	int own = openat(hp_proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t count = own >= 0 && position ? read_on(own, ~0ull, position, &next) : 0;
	if (own >= 0)
		close(own);
	return count;
}

bool hp_directory_seek(int fd, uint64_t entries)
{
	int64_t next = -1;
	(void)lseek(fd, 0, SEEK_SET);
	return read_on(fd, entries, -1, &next) == entries && lseek(fd, next, SEEK_SET) == next;
}
