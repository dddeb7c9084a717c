/* Which pages of a process have been written to since they were copied.
 *
 * The kernel notes it (userfaultfd, write protection, async: Linux 6.7): a page that is armed loses its mark at
 * the first write, the writer goes on after a microsecond and nobody is asked. The descriptor is made by the
 * process itself, which is the only one that can, and is ours alone after that; with it, or us, everything is
 * as it was.
 *
 * A page counts as copied only if the kernel says of its mapping *now* that writes are noted there, of the page
 * that there were none, and we have copied it from the same address since it was armed. Whatever came by mmap,
 * mremap, fork or exec meanwhile belongs to no descriptor of ours; a page that came back empty (madvise,
 * munmap) has no mark. It is armed only while all threads stand still: else a direct transfer, whose pages the
 * kernel holds already, would write to it unseen.
 *
 * Private anonymous memory only. Of a file's private pages the mark outlives the page (madvise); to shared memory
 * is written by other ways than a process's mappings.
 */
#include "dump.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define LEAST_BYTES (128u << 10) /* smaller mappings are copied in the end anyway */
#define REGIONS 1024
#define BITS 64u

/* The descriptor is in the process for two system calls of its own, while it stands still. */
static int make_descriptor(struct hp_process *process, int pidfd)
{
	struct hp_remote *remote = &process->tasks[0].remote;
	struct uffdio_api api = { .api = UFFD_API, .features = HP_UFFD_FEATURE_WP_ASYNC };
	long theirs = HP_ASK(remote, SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (theirs < 0)
		return -1;
	int ours = (int)syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
	(void)HP_ASK(remote, SYS_close, theirs);
	if (ours >= 0 && ioctl(ours, UFFDIO_API, &api)) {
		close(ours);
		return -1;
	}
	return ours;
}

bool hp_track_begin(struct hp_dump *dump, struct hp_track *track, struct hp_process *process)
{
	*track = (struct hp_track){ .pid = process->pid, .uffd = -1, .pagemap = -1, .memory = -1 };
	track->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	/* A filter of the program's own might kill it for a call it has never heard of. */
	if (hp_dump_check_filters(process) && hp_dump_prepare(dump, process)) {
		track->uffd = make_descriptor(process, track->pidfd);
		track->pagemap = hp_copy_open(process->pid, "pagemap");
		track->memory = hp_copy_open(process->pid, "mem");
	}
	hp_dump_release(process);
	if (track->uffd >= 0 && track->pagemap >= 0 && track->memory >= 0)
		return true;
	hp_track_end(track);
	return false;
}

void hp_track_end(struct hp_track *track)
{
	const int fds[] = { track->pidfd, track->uffd, track->pagemap, track->memory };
	for (unsigned n = 0; n < 4; n++)
		if (fds[n] >= 0)
			close(fds[n]);
	track->pidfd = track->uffd = track->pagemap = track->memory = -1;
	track->pid = 0;
}

struct hp_track *hp_track_of(struct hp_dump *dump, const struct hp_process *process)
{
	for (unsigned n = 0; n < dump->track_count; n++)
		if (dump->tracks[n].pid == process->pid &&
		    syscall(SYS_pidfd_send_signal, dump->tracks[n].pidfd, 0, NULL, 0) == 0)
			return &dump->tracks[n];
	return NULL;
}

static bool append(struct hp_range **list, size_t *count, size_t *room, struct hp_range range)
{
	if (*count == *room) {
		size_t more = *room ? *room * 2 : 256;
		struct hp_range *larger = realloc(*list, more * sizeof *larger);
		if (larger == NULL)
			return false;
		*list = larger;
		*room = more;
	}
	(*list)[(*count)++] = range;
	return true;
}

/* Arms what has been written to, or has not been armed yet, and has it copied.
 *
 * Where the kernel joins moved memory with its neighbours (mremap) it drops our descriptor from all of it, but not
 * their marks, and nothing takes them away any more, for all the writing. In the next dump such pages look armed
 * and are not: what has never been seen without a mark is not copied here.
 */
static bool scan(struct hp_track *track, struct hp_region *region)
{
	static struct hp_kernel_page_region found[REGIONS];
	struct hp_kernel_pm_scan ask = {
		.size = sizeof ask,
		.flags = HP_PM_SCAN_WP_MATCHING,
		.start = region->start,
		.end = region->end,
		.vec = (uint64_t)(uintptr_t)found,
		.vec_len = REGIONS,
		.category_inverted = HP_PAGE_IS_PFNZERO,
		.category_mask = HP_PAGE_IS_PFNZERO | HP_PAGE_IS_WPALLOWED | HP_PAGE_IS_WRITTEN,
		.category_anyof_mask = HP_PAGE_IS_PRESENT | HP_PAGE_IS_SWAPPED,
		.return_mask = HP_PAGE_IS_WPALLOWED,
	};
	while (ask.start < ask.end) {
		long count = ioctl(track->pagemap, HP_PAGEMAP_SCAN, &ask);
		if (count < 0)
			return false;
		for (long n = 0; n < count; n++) {
			const struct hp_range range = { found[n].start, found[n].end };
			if (!append(&track->due, &track->due_count, &track->due_room, range))
				return false;
			for (uint64_t at = range.start; at < range.end; at += HP_IMAGE_PAGE) {
				uint64_t page = (at - region->start) / HP_IMAGE_PAGE;
				region->copied[page / BITS] &= ~(1ull << page % BITS);
			}
		}
		if (ask.walk_end <= ask.start)
			break;
		ask.start = ask.walk_end;
	}
	return true;
}

/* The first that ends behind `at`. */
static unsigned find(const struct hp_track *track, uint64_t at)
{
	unsigned low = 0, high = track->count;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (track->regions[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* False: out of memory, or the process's is gone. What cannot be armed is nobody's. */
static bool add(struct hp_dump *dump, struct hp_track *track, uint64_t start, uint64_t end)
{
	struct uffdio_register ask = { .range = { start, end - start }, .mode = UFFDIO_REGISTER_MODE_WP };
	struct hp_region region = { .start = start, .end = end };
	if (end - start < LEAST_BYTES)
		return true;
	if (track->count == track->room) {
		unsigned room = track->room ? track->room * 2 : 64;
		struct hp_region *larger = realloc(track->regions, room * sizeof *larger);
		if (larger == NULL)
			return false;
		track->regions = larger;
		track->room = room;
	}
	region.copied = calloc((end - start) / HP_IMAGE_PAGE / BITS + 1, sizeof *region.copied);
	if (region.copied == NULL)
		return false;
	if (ioctl(track->uffd, UFFDIO_REGISTER, &ask)) {
		free(region.copied);
		return errno != ESRCH;
	}
	region.pages = hp_write_region(&dump->writer, start, end - start);
	unsigned place = find(track, start);
	memmove(&track->regions[place + 1], &track->regions[place], (track->count - place) * sizeof region);
	track->regions[place] = region;
	track->count++;
	return scan(track, &track->regions[place]);
}

bool hp_track_arm(struct hp_dump *dump, struct hp_track *track, const struct hp_process *process)
{
	track->due_count = 0;
	for (unsigned n = 0; n < track->count; n++)
		if (!scan(track, &track->regions[n]))
			return false;
	for (unsigned n = 0; n < process->mapping_count; n++) {
		const struct hp_mapping *mapping = &process->mappings[n];
		uint64_t until;
		if (mapping->kind != HP_V_ANON || mapping->shared)
			continue;
		/* The whole of it or nothing: half a mapping would be two, which a program's mremap notices. */
		if (!hp_track_region(track, mapping->start, &until) && until >= mapping->end &&
		    !add(dump, track, mapping->start, mapping->end))
			return false;
	}
	return true;
}

const struct hp_region *hp_track_region(const struct hp_track *track, uint64_t at, uint64_t *until)
{
	unsigned n = find(track, at);
	bool inside = n < track->count && track->regions[n].start <= at;
	*until = n == track->count ? ~0ull : inside ? track->regions[n].end : track->regions[n].start;
	return inside ? &track->regions[n] : NULL;
}

void hp_track_copied(struct hp_track *track, uint64_t at, uint64_t bytes)
{
	uint64_t until, end = at + bytes;
	const struct hp_region *region = hp_track_region(track, at, &until);
	for (; region && at < end; at += HP_IMAGE_PAGE) {
		uint64_t page = (at - region->start) / HP_IMAGE_PAGE;
		region->copied[page / BITS] |= 1ull << page % BITS;
	}
}

bool hp_track_has(const struct hp_region *region, uint64_t at)
{
	uint64_t page = (at - region->start) / HP_IMAGE_PAGE;
	return region->copied[page / BITS] >> page % BITS & 1;
}

void hp_track_keep(struct hp_track *track, uint64_t pages, uint64_t bytes)
{
	const struct hp_range range = { pages, pages + bytes };
	track->keeps_all |= !append(&track->kept, &track->kept_count, &track->kept_room, range);
}

static int by_start(const void *a, const void *b)
{
	const struct hp_range *first = a, *second = b;
	return (first->start > second->start) - (first->start < second->start);
}

static size_t first_behind(const struct hp_track *track, uint64_t at)
{
	size_t low = 0, high = track->kept_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (track->kept[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void hp_track_drop_rest(struct hp_dump *dump, struct hp_track *track)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	if (track->kept_count)
		qsort(track->kept, track->kept_count, sizeof *track->kept, by_start);
	for (unsigned n = 0; n < track->count && !track->keeps_all; n++) {
		uint64_t at = track->regions[n].pages, end = at + track->regions[n].end - track->regions[n].start;
		for (size_t k = first_behind(track, at); k < track->kept_count && at < end; k++) {
			uint64_t until = track->kept[k].start < end ? track->kept[k].start : end;
			if (until > at)
				(void)fallocate(dump->writer.pages, mode, (off_t)at, (off_t)(until - at));
			at = track->kept[k].end;
		}
		if (at < end)
			(void)fallocate(dump->writer.pages, mode, (off_t)at, (off_t)(end - at));
	}
}
