/* Memory: which pages a process has of its own, and their content.
 *
 * Clean pages of mapped files are never copied. PAGEMAP_SCAN says what is there where the kernel
 * has it (6.7), else /proc/PID/pagemap. What was copied while the job ran, and has not been written to since
 * (track.c), is in the image already.
 */
#include "dump.h"
#include "kernel.h"

#include <errno.h>
#include <string.h>

#define REGIONS 1024
#define ENTRIES 4096
#define ENTRY_PRESENT (1ull << 63)
#define ENTRY_SWAPPED (1ull << 62)
#define ENTRY_FILE (1ull << 61)

struct scan {
	struct hp_dump *dump;
	struct hp_mapping *mapping;
	struct hp_track *track;
	pid_t pid;
	int pagemap;
	struct hp_copy copy;
	struct hp_range gap; /* that no region has, and where it goes */
	uint64_t gap_pages;
	struct hp_image_run run;
};

static void end_run(struct scan *scan)
{
	if (scan->run.bytes == 0)
		return;
	hp_write_record(&scan->dump->writer, HP_R_RUN, &scan->run, sizeof scan->run, NULL, 0);
	if (scan->track)
		hp_track_keep(scan->track, scan->run.pages, scan->run.bytes);
	scan->run.bytes = 0;
}

/* Where in the image an address goes: with its region, or its mapping's own place. */
static uint64_t place_of(struct scan *scan, uint64_t at, const struct hp_region **region, uint64_t *until)
{
	*until = scan->mapping->end;
	*region = scan->track ? hp_track_region(scan->track, at, until) : NULL;
	*until = *until < scan->mapping->end ? *until : scan->mapping->end;
	if (*region)
		return (*region)->pages + (at - (*region)->start);
	if (at < scan->gap.start || at >= scan->gap.end) {
		scan->gap = (struct hp_range){ at, *until };
		scan->gap_pages = hp_write_region(&scan->dump->writer, at, *until - at);
	}
	return scan->gap_pages + (at - scan->gap.start);
}

/* What of it has not been copied since it was armed. */
static bool copy_rest(struct scan *scan, const struct hp_region *region, uint64_t at, uint64_t end, uint64_t pages)
{
	uint64_t rest = at;
	for (; at < end; at += HP_IMAGE_PAGE) {
		if (!hp_track_has(region, at))
			continue;
		if (!hp_copy_add(&scan->copy, rest, at - rest, pages))
			return false;
		pages += at + HP_IMAGE_PAGE - rest;
		rest = at + HP_IMAGE_PAGE;
	}
	return hp_copy_add(&scan->copy, rest, end - rest, pages);
}

static bool add_range(struct scan *scan, uint64_t start, uint64_t end, bool is_clean)
{
	while (start < end) {
		const struct hp_region *region;
		uint64_t until, pages = place_of(scan, start, &region, &until);
		until = until < end ? until : end;
		struct hp_image_run *run = &scan->run;
		if (start != run->at + run->bytes || pages != run->pages + run->bytes) {
			end_run(scan);
			*run = (struct hp_image_run){ .pid = scan->pid, .at = start, .pages = pages };
		}
		run->bytes += until - start;
		if (is_clean && region ? !copy_rest(scan, region, start, until, pages) :
					 !hp_copy_add(&scan->copy, start, until - start, pages))
			return false;
		start = until;
	}
	return true;
}

static bool add_region(struct scan *scan, const struct hp_kernel_page_region *region)
{
	uint64_t noted = region->categories & (HP_PAGE_IS_WPALLOWED | HP_PAGE_IS_WRITTEN);
	struct hp_image_guard guard = { .pid = scan->pid, .start = region->start, .end = region->end };
	if (!(region->categories & HP_PAGE_IS_GUARD))
		return add_range(scan, region->start, region->end, scan->track && noted == HP_PAGE_IS_WPALLOWED);
	hp_write_record(&scan->dump->writer, HP_R_GUARD, &guard, sizeof guard, NULL, 0);
	return true;
}

static bool scan_by_ioctl(struct scan *scan, bool is_file, bool *unknown)
{
	static struct hp_kernel_page_region regions[REGIONS];
	static uint64_t guards = HP_PAGE_IS_GUARD;
	uint64_t never = HP_PAGE_IS_PFNZERO | (is_file ? HP_PAGE_IS_FILE : 0);
	struct hp_kernel_pm_scan ask = {
		.size = sizeof ask,
		.start = scan->mapping->start,
		.end = scan->mapping->end,
		.vec = (uint64_t)(uintptr_t)regions,
		.vec_len = REGIONS,
		.category_inverted = never,
		.category_mask = never,
		.category_anyof_mask = HP_PAGE_IS_PRESENT | HP_PAGE_IS_SWAPPED,
	};
	while (ask.start < ask.end) {
		ask.return_mask =
			guards | (scan->track ? HP_PAGE_IS_WPALLOWED | HP_PAGE_IS_WRITTEN : HP_PAGE_IS_PRESENT);
		long count = ioctl(scan->pagemap, HP_PAGEMAP_SCAN, &ask);
		if (count < 0 && errno == EINVAL && guards) { /* a kernel that does not tell of them */
			guards = 0;
			continue;
		}
		if (count < 0) {
			*unknown = errno == ENOTTY || errno == EINVAL;
			return *unknown || hp_copy_unreadable(scan->pid, ask.start);
		}
		for (long n = 0; n < count; n++)
			if (!add_region(scan, &regions[n]))
				return false;
		if (ask.walk_end <= ask.start)
			break;
		ask.start = ask.walk_end;
	}
	return true;
}

static bool scan_by_entries(struct scan *scan, bool is_file)
{
	static uint64_t entries[ENTRIES];
	for (uint64_t at = scan->mapping->start; at < scan->mapping->end;) {
		uint64_t left = (scan->mapping->end - at) / HP_IMAGE_PAGE;
		size_t count = left < ENTRIES ? left : ENTRIES;
		if (pread(scan->pagemap, entries, count * 8, (off_t)(at / HP_IMAGE_PAGE * 8)) != (ssize_t)(count * 8))
			return hp_copy_unreadable(scan->pid, at);
		for (size_t n = 0; n < count; n++, at += HP_IMAGE_PAGE) {
			if (!(entries[n] & (ENTRY_PRESENT | ENTRY_SWAPPED)) || (is_file && entries[n] & ENTRY_FILE))
				continue;
			if (!add_range(scan, at, at + HP_IMAGE_PAGE, false))
				return false;
		}
	}
	return true;
}

static bool dump_private(struct scan *scan)
{
	bool unknown = false, is_file = scan->mapping->kind == HP_V_FILE;
	static bool by_entries;
	if (!by_entries && !scan_by_ioctl(scan, is_file, &unknown))
		return false;
	by_entries |= unknown;
	if (by_entries && !scan_by_entries(scan, is_file))
		return false;
	end_run(scan);
	return true;
}

/* Sites in it may have been rewritten: only what differs from the kernel's own. */
static bool dump_vdso(struct scan *scan)
{
	const struct hp_mapping *mapping = scan->mapping;
	if (mapping->end - mapping->start != scan->dump->vdso_bytes)
		return hp_refuse("process %d has a vdso of another size", (int)scan->pid);
	for (uint64_t at = 0; at < scan->dump->vdso_bytes; at += HP_IMAGE_PAGE) {
		uint8_t page[HP_IMAGE_PAGE];
		struct hp_image_run run = {
			.pid = scan->pid, .at = mapping->start + at, .bytes = sizeof page, .pages = mapping->pages + at
		};
		if (pread(scan->copy.memory, page, sizeof page, (off_t)run.at) != sizeof page)
			return hp_copy_unreadable(scan->pid, run.at);
		if (!memcmp(page, scan->dump->vdso + at, sizeof page))
			continue;
		hp_write_record(&scan->dump->writer, HP_R_RUN, &run, sizeof run, NULL, 0);
		hp_write_content(&scan->dump->writer, page, sizeof page, run.pages);
	}
	return true;
}

static bool dump_mapping(struct scan *scan)
{
	struct hp_mapping *mapping = scan->mapping;
	const struct hp_region *region;
	uint64_t until;
	if (mapping->shared || (mapping->kind == HP_V_KERNEL && strcmp(mapping->name, "[vdso]")))
		return true;
	scan->gap = (struct hp_range){ 0 };
	mapping->pages = place_of(scan, mapping->start, &region, &until);
	return mapping->kind == HP_V_KERNEL ? dump_vdso(scan) : dump_private(scan);
}

bool hp_dump_memory(struct hp_dump *dump, struct hp_process *process)
{
	pid_t leader = process->tasks[0].tid;
	struct scan scan = { .dump = dump, .pid = process->pid, .track = process->track };
	scan.copy = (struct hp_copy){ .dump = dump, .pid = leader, .memory = hp_copy_open(leader, "mem") };
	scan.pagemap = hp_copy_open(leader, "pagemap");
	bool fine = (scan.copy.memory >= 0 && scan.pagemap >= 0) || hp_copy_unreadable(process->pid, 0);
	for (unsigned n = 0; n < process->mapping_count && fine; n++) {
		scan.mapping = &process->mappings[n];
		fine = dump_mapping(&scan);
	}
	fine = fine && hp_copy_end(&scan.copy);
	if (scan.copy.memory >= 0)
		close(scan.copy.memory);
	if (scan.pagemap >= 0)
		close(scan.pagemap);
	return fine;
}

void hp_dump_mappings(struct hp_dump *dump, const struct hp_process *process)
{
	for (unsigned n = 0; n < process->mapping_count; n++) {
		const struct hp_mapping *mapping = &process->mappings[n];
		struct hp_image_vma record = {
			.pid = process->pid,
			.kind = mapping->kind,
			.prot = mapping->prot,
			.flags = mapping->flags,
			.start = mapping->start,
			.end = mapping->end,
			.offset = mapping->offset,
			.object = mapping->object,
			.shared = mapping->shared,
			.pages = mapping->pages,
		};
		if (mapping->kind == HP_V_KERNEL)
			memcpy(record.name, mapping->name, strnlen(mapping->name, sizeof record.name - 1));
		hp_write_record(&dump->writer, HP_R_VMA, &record, sizeof record, NULL, 0);
	}
}
