/* Memory: which pages a process has of its own, and their content.
 *
 * Clean pages of mapped files are never copied. PAGEMAP_SCAN says what is there where the kernel
 * has it (6.7), else /proc/PID/pagemap. Content is read with process_vm_readv, and where the
 * process itself may not read, through /proc/PID/mem.
 */
#include "dump.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PIECE (1u << 18) /* stays in the cache between the two copies */
#define REGIONS 1024
#define ENTRIES 4096
#define ENTRY_PRESENT (1ull << 63)
#define ENTRY_SWAPPED (1ull << 62)
#define ENTRY_FILE (1ull << 61)

static uint8_t piece[PIECE];

static int open_of(pid_t pid, const char *name)
{
	char path[48];
	snprintf(path, sizeof path, "%d/%s", (int)pid, name);
	return openat(hp_proc, path, O_RDONLY | O_CLOEXEC);
}

static bool unreadable(pid_t pid, uint64_t at)
{
	return hp_refuse("process %d: its memory at %lx cannot be read: %s", (int)pid, (unsigned long)at,
			 strerror(errno));
}

static bool copy_from(struct hp_dump *dump, int memory, pid_t pid, uint64_t start, uint64_t bytes, uint64_t pages)
{
	for (uint64_t done = 0; done < bytes;) {
		size_t want = bytes - done < PIECE ? bytes - done : PIECE;
		struct iovec ours = { piece, want }, theirs = { (void *)(start + done), want };
		ssize_t got = process_vm_readv(pid, &ours, 1, &theirs, 1, 0);
		if (got <= 0)
			got = pread(memory, piece, want, (off_t)(start + done));
		if (got <= 0)
			return unreadable(pid, start + done);
		hp_write_content(&dump->writer, piece, (size_t)got, pages + done);
		done += (uint64_t)got;
	}
	return true;
}

bool hp_dump_copy(struct hp_dump *dump, pid_t from, uint64_t start, uint64_t bytes, uint64_t pages)
{
	int memory = open_of(from, "mem");
	bool fine = memory >= 0 ? copy_from(dump, memory, from, start, bytes, pages) : unreadable(from, start);
	if (memory >= 0)
		close(memory);
	return fine;
}

struct scan {
	struct hp_dump *dump;
	struct hp_mapping *mapping;
	pid_t pid;
	int memory, pagemap;
	uint64_t pages; /* where mapping->start goes */
	uint64_t run_start, run_end;
};

static bool end_run(struct scan *scan)
{
	uint64_t bytes = scan->run_end - scan->run_start;
	struct hp_image_run run = { .pid = scan->pid, .at = scan->run_start, .bytes = bytes };
	if (bytes == 0)
		return true;
	run.pages = scan->pages + (scan->run_start - scan->mapping->start);
	hp_write_record(&scan->dump->writer, HP_R_RUN, &run, sizeof run, NULL, 0);
	return copy_from(scan->dump, scan->memory, scan->pid, run.at, bytes, run.pages);
}

static bool add_range(struct scan *scan, uint64_t start, uint64_t end)
{
	if (start != scan->run_end) {
		if (!end_run(scan))
			return false;
		scan->run_start = start;
	}
	scan->run_end = end;
	return true;
}

static bool scan_by_ioctl(struct scan *scan, bool is_file, bool *unknown)
{
	static struct hp_kernel_page_region regions[REGIONS];
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
		.return_mask = HP_PAGE_IS_PRESENT,
	};
	while (ask.start < ask.end) {
		long count = ioctl(scan->pagemap, HP_PAGEMAP_SCAN, &ask);
		if (count < 0) {
			*unknown = errno == ENOTTY || errno == EINVAL;
			return *unknown || unreadable(scan->pid, ask.start);
		}
		for (long n = 0; n < count; n++)
			if (!add_range(scan, regions[n].start, regions[n].end))
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
			return unreadable(scan->pid, at);
		for (size_t n = 0; n < count; n++, at += HP_IMAGE_PAGE) {
			if (!(entries[n] & (ENTRY_PRESENT | ENTRY_SWAPPED)) || (is_file && entries[n] & ENTRY_FILE))
				continue;
			if (!add_range(scan, at, at + HP_IMAGE_PAGE))
				return false;
		}
	}
	return true;
}

static bool dump_private(struct scan *scan)
{
	bool unknown = false, is_file = scan->mapping->kind == HP_V_FILE;
	static bool by_entries;
	scan->run_start = scan->run_end = 0;
	if (!by_entries && !scan_by_ioctl(scan, is_file, &unknown))
		return false;
	by_entries |= unknown;
	if (by_entries && !scan_by_entries(scan, is_file))
		return false;
	return end_run(scan);
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
			.pid = scan->pid, .at = mapping->start + at, .bytes = sizeof page, .pages = scan->pages + at
		};
		if (pread(scan->memory, page, sizeof page, (off_t)run.at) != sizeof page)
			return unreadable(scan->pid, run.at);
		if (!memcmp(page, scan->dump->vdso + at, sizeof page))
			continue;
		hp_write_record(&scan->dump->writer, HP_R_RUN, &run, sizeof run, NULL, 0);
		hp_write_content(&scan->dump->writer, page, sizeof page, run.pages);
	}
	return true;
}

static bool dump_mapping(struct scan *scan)
{
	const struct hp_mapping *mapping = scan->mapping;
	struct hp_image_vma record = {
		.pid = scan->pid,
		.kind = mapping->kind,
		.prot = mapping->prot,
		.flags = mapping->flags,
		.start = mapping->start,
		.end = mapping->end,
		.offset = mapping->offset,
		.object = mapping->object,
		.shared = mapping->shared,
	};
	bool copied = !mapping->shared && (mapping->kind != HP_V_KERNEL || !strcmp(mapping->name, "[vdso]"));
	if (copied)
		record.pages = hp_write_region(&scan->dump->writer, mapping->end - mapping->start);
	if (mapping->kind == HP_V_KERNEL)
		memcpy(record.name, mapping->name, strnlen(mapping->name, sizeof record.name - 1));
	scan->pages = record.pages;
	hp_write_record(&scan->dump->writer, HP_R_VMA, &record, sizeof record, NULL, 0);
	if (!copied)
		return true;
	return mapping->kind == HP_V_KERNEL ? dump_vdso(scan) : dump_private(scan);
}

bool hp_dump_memory(struct hp_dump *dump, struct hp_process *process)
{
	struct scan scan = { .dump = dump, .pid = process->pid };
	scan.memory = open_of(process->tasks[0].tid, "mem");
	scan.pagemap = open_of(process->tasks[0].tid, "pagemap");
	bool fine = (scan.memory >= 0 && scan.pagemap >= 0) || unreadable(process->pid, 0);
	for (unsigned n = 0; n < process->mapping_count && fine; n++) {
		scan.mapping = &process->mappings[n];
		fine = dump_mapping(&scan);
	}
	if (scan.memory >= 0)
		close(scan.memory);
	if (scan.pagemap >= 0)
		close(scan.pagemap);
	return fine;
}
