/* What descriptors and mappings stand for: files by name, content without a name, pipes.
 *
 * Owns: which of them travel with content. A file that has a name is left where it is: whoever
 * restores has it there. Leaves to others: open file descriptions (dump_files.c), sockets.
 */
#include "dump.h"
#include "home.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>

#define PIECE (1u << 20)
#define PIPE_MOST (1u << 20)
#define VECTOR 32768u /* pages asked for at once */

uint32_t hp_dump_thing(struct hp_dump *dump, uint64_t device, uint64_t inode, uint32_t kind, bool *made)
{
	struct hp_thing **list = &dump->things[(inode ^ device * 31) % 256];
	*made = false;
	for (struct hp_thing *thing = *list; thing != NULL; thing = thing->next)
		if (thing->device == device && thing->inode == inode && thing->kind == kind)
			return thing->id;
	struct hp_thing *thing = malloc(sizeof *thing);
	if (thing == NULL) {
		hp_refuse("no memory");
		return 0;
	}
	*thing = (struct hp_thing){ device, inode, ++dump->objects, kind, *list };
	*list = thing;
	*made = true;
	return thing->id;
}

bool hp_dump_object_named(struct hp_dump *dump, const char *path, uint64_t device, uint64_t inode, int fd, uint32_t *id)
{
	struct stat found;
	bool made;
	*id = hp_dump_thing(dump, device, inode, HP_O_NAMED, &made);
	if (!made)
		return *id != 0;
	if (lstat(path, &found))
		return hp_refuse("%s is open and has no name any more", path);
	if (fd >= 0) {
		struct stat held;
		if (fstat(fd, &held) || held.st_dev != found.st_dev || held.st_ino != found.st_ino)
			return hp_refuse("%s is open and another file has its name now", path);
	} else if (found.st_ino != inode) {
		return hp_refuse("%s is mapped and another file has its name now", path);
	}
	struct hp_image_object object = { .id = *id,
					  .kind = HP_O_NAMED,
					  .mode = found.st_mode,
					  .size = (uint64_t)found.st_size,
					  .device = device,
					  .inode = inode,
					  .mtime_s = found.st_mtim.tv_sec,
					  .mtime_ns = found.st_mtim.tv_nsec };
	struct hp_part part = { path, strlen(path) + 1 };
	object.path_bytes = (uint32_t)part.length;
	hp_write_record(&dump->writer, HP_R_OBJECT, &object, sizeof object, &part, 1);
	return true;
}

bool hp_dump_object_runs(struct hp_dump *dump, int fd, uint32_t id, uint64_t size, uint64_t region)
{
	static uint8_t piece[PIECE];
	for (off_t at = 0; (uint64_t)at < size;) {
		off_t start = lseek(fd, at, SEEK_DATA);
		if (start < 0 && errno == ENXIO)
			return true;
		off_t end = start < 0 ? -1 : lseek(fd, start, SEEK_HOLE);
		if (end < 0)
			return hp_refuse("a file without a name cannot be read: %s", strerror(errno));
		struct hp_image_run run = { .object = id,
					    .at = (uint64_t)start,
					    .bytes = (uint64_t)(end - start),
					    .pages = region + (uint64_t)start };
		hp_write_record(&dump->writer, HP_R_RUN, &run, sizeof run, NULL, 0);
		while (start < end) {
			size_t want = end - start < PIECE ? (size_t)(end - start) : PIECE;
			ssize_t got = pread(fd, piece, want, start);
			if (got <= 0)
				return hp_refuse("a file without a name cannot be read: %s", strerror(errno));
			hp_write_content(&dump->writer, piece, (size_t)got, region + (uint64_t)start);
			start += got;
		}
		at = end;
	}
	return true;
}

bool hp_dump_object_content(struct hp_dump *dump, int fd, const char *name, uint32_t *id)
{
	struct stat found;
	struct hp_attr_entry entry;
	bool made;
	char path[64];
	if (fstat(fd, &found))
		return hp_refuse("%s: %s", name, strerror(errno));
	if (hp_home_object(found.st_dev, found.st_ino, &entry) && entry.file) { /* what of it is still at home only */
		struct hp_question fill = { .op = HP_REQ_FILL, .base = found.st_ino, .arg = { 0, found.st_size } };
		int64_t answer = hp_home_ask(&fill);
		if (answer < 0)
			return hp_refuse("%s: %s", name, strerror((int)-answer));
	}
	*id = hp_dump_thing(dump, found.st_dev, found.st_ino, HP_O_MEMORY, &made);
	if (!made)
		return *id != 0;
	/* its position is the job's: read through a description of our own */
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int own = openat(hp_proc, path + 6, O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return hp_refuse("%s cannot be read: %s", name, strerror(errno));
	int seals = fcntl(fd, F_GET_SEALS);
	struct hp_image_object object = { .id = *id,
					  .kind = HP_O_MEMORY,
					  .mode = found.st_mode,
					  .seals = seals < 0 ? 0 : (uint32_t)seals,
					  .size = (uint64_t)found.st_size,
					  .device = found.st_dev,
					  .inode = found.st_ino,
					  .mtime_s = found.st_mtim.tv_sec,
					  .mtime_ns = found.st_mtim.tv_nsec };
	struct hp_part part = { name, strlen(name) + 1 };
	object.path_bytes = (uint32_t)part.length;
	uint64_t region = hp_write_region(&dump->writer, 0, object.size);
	object.extra[0] = region;
	hp_write_record(&dump->writer, HP_R_OBJECT, &object, sizeof object, &part, 1);
	bool fine = hp_dump_object_runs(dump, own, *id, object.size, region);
	close(own);
	return fine;
}

/* Pages of shared memory that are there: where nothing swaps, mincore knows. */
static bool copy_resident(struct hp_dump *dump, struct hp_process *process, struct hp_mapping *mapping, uint32_t id,
			  uint64_t region)
{
	static uint8_t resident[VECTOR];
	struct hp_remote *remote = &process->tasks[0].remote;
	for (uint64_t at = mapping->start; at < mapping->end;) {
		uint64_t pages = (mapping->end - at) / HP_IMAGE_PAGE;
		size_t count = pages < VECTOR ? pages : VECTOR;
		const uint64_t ask[6] = { at, count * HP_IMAGE_PAGE, remote->scratch };
		memset(resident, 1, count);
		if (!dump->has_swap && hp_remote_ask_bytes(remote, SYS_mincore, ask, resident, count))
			return hp_refuse("process %d: what is in its shared memory cannot be told", (int)process->pid);
		for (size_t n = 0; n < count;) {
			size_t end = n;
			while (end < count && resident[end] & 1)
				end++;
			uint64_t from = at + n * HP_IMAGE_PAGE;
			struct hp_image_run run = { .object = id,
						    .at = mapping->offset + (from - mapping->start),
						    .bytes = (end - n) * HP_IMAGE_PAGE };
			run.pages = region + run.at;
			if (end > n) {
				hp_write_record(&dump->writer, HP_R_RUN, &run, sizeof run, NULL, 0);
				if (!hp_dump_copy(dump, remote->tid, from, run.bytes, run.pages))
					return false;
			}
			n = end > n ? end : n + 1;
		}
		at += count * HP_IMAGE_PAGE;
	}
	return true;
}

/* Shared memory that no descriptor leads to: all that any process maps of it is all there is. */
static bool dump_shared(struct hp_dump *dump, struct hp_mapping *of, uint32_t id)
{
	uint64_t size = 0;
	for (unsigned p = 0; p < dump->count; p++)
		for (unsigned n = 0; n < dump->processes[p].mapping_count; n++) {
			struct hp_mapping *mapping = &dump->processes[p].mappings[n];
			uint64_t end = mapping->offset + (mapping->end - mapping->start);
			if (mapping->inode == of->inode && mapping->device == of->device && mapping->shared &&
			    end > size)
				size = end;
		}
	uint64_t region = hp_write_region(&dump->writer, 0, size);
	struct hp_image_object object = { .id = id,
					  .kind = HP_O_MEMORY,
					  .mode = S_IFREG | 0600,
					  .size = size,
					  .device = of->device,
					  .inode = of->inode,
					  .extra = { region } };
	struct hp_part part = { of->name, strlen(of->name) + 1 };
	object.path_bytes = (uint32_t)part.length;
	hp_write_record(&dump->writer, HP_R_OBJECT, &object, sizeof object, &part, 1);
	uint64_t covered = 0; /* of the object, from its beginning: most often the first mapping is all of it */
	for (unsigned p = 0; p < dump->count; p++)
		for (unsigned n = 0; n < dump->processes[p].mapping_count; n++) {
			struct hp_mapping *mapping = &dump->processes[p].mappings[n];
			uint64_t end = mapping->offset + (mapping->end - mapping->start);
			if (mapping->inode != of->inode || mapping->device != of->device || !mapping->shared ||
			    end <= covered)
				continue;
			if (!copy_resident(dump, &dump->processes[p], mapping, id, region))
				return false;
			if (mapping->offset <= covered)
				covered = end;
		}
	return true;
}

bool hp_dump_object_mapped(struct hp_dump *dump, struct hp_process *process, struct hp_mapping *mapping)
{
	static const char deleted[] = " (deleted)";
	size_t length = strlen(mapping->name), suffix = sizeof deleted - 1;
	bool nameless = length > suffix && !strcmp(mapping->name + length - suffix, deleted);
	bool made;
	if (!nameless)
		return hp_dump_object_named(dump, mapping->name, mapping->device, mapping->inode, -1, &mapping->object);
	if (!strncmp(mapping->name, "/[aio]", 6))
		return hp_refuse("process %d has asynchronous input and output of the kernel's (io_setup)",
				 (int)process->pid);
	if (!strncmp(mapping->name, "/secretmem", 10))
		return hp_refuse("process %d has secret memory (memfd_secret)", (int)process->pid);
	if (!strncmp(mapping->name, "/SYSV", 5))
		return hp_dump_attached(dump, process, mapping);
	if (!mapping->shared)
		return hp_refuse("process %d maps a file privately that has no name any more: %s", (int)process->pid,
				 mapping->name);
	mapping->kind = HP_V_SHARED;
	mapping->object = hp_dump_thing(dump, mapping->device, mapping->inode, HP_O_MEMORY, &made);
	return mapping->object && (!made || dump_shared(dump, mapping, mapping->object));
}

/* The content stays where it is: it is read from a copy. */
bool hp_dump_object_pipe(struct hp_dump *dump, pid_t pid, int number, int fd, uint32_t *id)
{
	static uint8_t content[PIPE_MOST];
	struct stat found;
	struct hp_image_object object = { .kind = HP_O_PIPE };
	int copy[2], pending = 0, room = fcntl(fd, F_GETPIPE_SZ);
	bool made;
	char path[64], name[4200];
	snprintf(path, sizeof path, "%d/fd/%d", (int)pid, number);
	ssize_t length = readlinkat(hp_proc, path, name, sizeof name - 1);
	if (fstat(fd, &found) || room < 0 || length <= 0)
		return hp_refuse("process %d: pipe %d: %s", (int)pid, number, strerror(errno));
	name[length] = '\0';
	*id = hp_dump_thing(dump, found.st_dev, found.st_ino, HP_O_PIPE, &made);
	if (!made)
		return *id != 0;
	if (fcntl(fd, F_GETFL) & O_DIRECT)
		return hp_refuse("process %d: pipe %d keeps packets apart (O_DIRECT)", (int)pid, number);
	object.id = *id;
	object.mode = found.st_mode;
	object.inode = found.st_ino;
	object.device = found.st_dev;
	object.size = (uint64_t)room;
	if (strncmp(name, "pipe:", 5))
		object.path_bytes = (uint32_t)length + 1, object.seals = found.st_nlink == 0;
	if (ioctl(fd, FIONREAD, &pending) || pending > (int)sizeof content)
		return hp_refuse("process %d: what is in pipe %d cannot be told", (int)pid, number);
	if (pending > 0) {
		/* through a reading end of our own, whichever end the process has */
		snprintf(path, sizeof path, "self/fd/%d", fd);
		int reader = openat(hp_proc, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (reader < 0 || pipe2(copy, O_CLOEXEC | O_NONBLOCK))
			return hp_refuse("process %d: pipe %d: %s", (int)pid, number, strerror(errno));
		(void)fcntl(copy[0], F_SETPIPE_SZ, room);
		ssize_t shown = tee(reader, copy[1], (size_t)pending, SPLICE_F_NONBLOCK);
		ssize_t got = shown > 0 ? read(copy[0], content, sizeof content) : shown;
		close(reader);
		close(copy[0]);
		close(copy[1]);
		if (got != pending)
			return hp_refuse("process %d: what is in pipe %d cannot be copied", (int)pid, number);
		object.extra_bytes = (uint32_t)got;
	}
	const struct hp_part parts[] = { { name, object.path_bytes }, { content, object.extra_bytes } };
	hp_write_record(&dump->writer, HP_R_OBJECT, &object, sizeof object, parts, 2);
	return true;
}
