/* Mapping a program or its ELF interpreter as the kernel would. */
#include <linux/elf.h>
#include <linux/mman.h>

#include "front.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define PAGE_DOWN(x) ((x) & ~(HP_PAGE - 1))

static bool is_error(long address)
{
	return address < 0 && address > -4096;
}

static long map(uint64_t address, uint64_t length, int protection, int flags, int fd, uint64_t offset)
{
	return hp_syscall6(__NR_mmap, (long)address, (long)length, protection, flags, fd, (long)offset);
}

/* Room for all segments; -errno or the address of the lowest. */
static long reserve(const struct hp_elf *elf, uint64_t hint)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	uint64_t low = PAGE_DOWN(elf->low), length = HP_PAGE_UP(elf->high) - low, surplus = elf->align - HP_PAGE;
	long got;

	if (elf->fixed) {
		got = map(low, length, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
		return got == (long)low || is_error(got) ? got : -EEXIST;
	}
	hint &= ~(elf->align - 1);
	if (hint) {
		got = map(hint + (low & (elf->align - 1)), length, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
		if (!is_error(got) && (uint64_t)got == hint + (low & (elf->align - 1)))
			return got;
	}
	got = map(0, length + surplus, PROT_NONE, flags, -1, 0);
	if (is_error(got) || surplus == 0)
		return got;
	{
		uint64_t area = (uint64_t)got, start = ((area - low + surplus) & ~(elf->align - 1)) + low;

		if (start > area)
			hp_syscall2(__NR_munmap, got, (long)(start - area));
		if (start + length < area + length + surplus)
			hp_syscall2(__NR_munmap, (long)(start + length), (long)(area + surplus - start));
		return (long)start;
	}
}

static void tell_of_text(uint64_t start, uint64_t end, int protection)
{
	struct hp_text text = { .start = start, .end = end, .protection = protection };

	if (protection & PROT_EXEC && protection & PROT_READ)
		hp_text_know(&text);
}

static long map_segment(int fd, const struct hp_segment *segment, uint64_t base)
{
	uint64_t start = base + PAGE_DOWN(segment->address), file_end = base + segment->address + segment->file_bytes;
	uint64_t end = HP_PAGE_UP(base + segment->address + segment->memory_bytes), zero_from = HP_PAGE_UP(file_end);
	int protection = (segment->flags & PF_R ? PROT_READ : 0) | (segment->flags & PF_W ? PROT_WRITE : 0) |
			 (segment->flags & PF_X ? PROT_EXEC : 0);
	long got;

	if (segment->file_bytes) {
		got = map(start, file_end - start, protection, MAP_PRIVATE | MAP_FIXED, fd,
			  PAGE_DOWN(segment->file_offset));
		if (is_error(got))
			return got;
		tell_of_text(start, zero_from, protection);
		if (segment->memory_bytes > segment->file_bytes && protection & PROT_WRITE)
			memset((void *)file_end, 0, zero_from - file_end);
	} else {
		zero_from = start;
	}
	if (end > zero_from) {
		got = map(zero_from, end - zero_from, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (is_error(got))
			return got;
	}
	return 0;
}

long hp_elf_map(int fd, const struct hp_elf *elf, uint64_t hint, struct hp_placed *placed)
{
	long low = reserve(elf, hint);
	uint64_t at;

	if (is_error(low))
		return low;
	*placed = (struct hp_placed){ .base = (uint64_t)low - PAGE_DOWN(elf->low), .code_start = ~0ull };
	at = (uint64_t)low;
	for (unsigned i = 0; i < elf->count; i++) {
		const struct hp_segment *segment = &elf->segment[i];
		uint64_t start = placed->base + segment->address, file_end = start + segment->file_bytes;
		long failed = map_segment(fd, segment, placed->base);

		if (failed)
			return failed;
		if (PAGE_DOWN(start) > at) /* the kernel leaves no reservation between segments */
			hp_syscall2(__NR_munmap, (long)at, (long)(PAGE_DOWN(start) - at));
		at = HP_PAGE_UP(start + segment->memory_bytes);
		if (segment->flags & PF_X && start < placed->code_start)
			placed->code_start = start;
		if (segment->flags & PF_X && file_end > placed->code_end)
			placed->code_end = file_end;
		if (start > placed->data_start)
			placed->data_start = start;
		if (file_end > placed->data_end)
			placed->data_end = file_end;
	}
	placed->entry = placed->base + elf->entry;
	placed->headers = elf->header_address ? placed->base + elf->header_address : 0;
	placed->end = placed->base + elf->high;
	return 0;
}
