/* Reading an ELF file's headers, with the errors that execve gives. No mapping. */
#include <linux/elf.h>

#include "front.h"

#define HEADERS_MAX 256u

static long read_at(int fd, void *to, uint64_t length, uint64_t offset)
{
	long got = hp_syscall4(__NR_pread64, fd, (long)to, (long)length, (long)offset);

	if (got < 0)
		return got;
	return got == (long)length ? 0 : -EIO;
}

static bool is_for_us(const Elf64_Ehdr *header)
{
	return header->e_ident[EI_MAG0] == 0x7f && header->e_ident[EI_MAG1] == 'E' && header->e_ident[EI_MAG2] == 'L' &&
	       header->e_ident[EI_MAG3] == 'F' && header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_machine == EM_X86_64 && (header->e_type == ET_EXEC || header->e_type == ET_DYN) &&
	       header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum > 0;
}

static long add_segment(struct hp_elf *elf, const Elf64_Phdr *from)
{
	struct hp_segment *segment = &elf->segment[elf->count];
	uint64_t end = from->p_vaddr + from->p_memsz;

	if (from->p_memsz == 0)
		return 0;
	if (elf->count == HP_SEGMENTS || from->p_filesz > from->p_memsz || end < from->p_vaddr || end > 1ull << 47 ||
	    (from->p_vaddr - from->p_offset) % HP_PAGE)
		return -ENOEXEC;
	*segment = (struct hp_segment){
		.address = from->p_vaddr,
		.file_offset = from->p_offset,
		.file_bytes = from->p_filesz,
		.memory_bytes = from->p_memsz,
		.align = from->p_align,
		.flags = from->p_flags,
	};
	if (from->p_align > elf->align && (from->p_align & (from->p_align - 1)) == 0)
		elf->align = from->p_align;
	if (elf->count++ == 0 || from->p_vaddr < elf->low)
		elf->low = from->p_vaddr;
	if (end > elf->high)
		elf->high = end;
	return 0;
}

static long read_interpreter(int fd, struct hp_elf *elf, const Elf64_Phdr *from)
{
	if (from->p_filesz < 2 || from->p_filesz > HP_INTERPRETER_MAX)
		return -ENOEXEC;
	if (read_at(fd, elf->interpreter, from->p_filesz, from->p_offset))
		return -EIO;
	return elf->interpreter[from->p_filesz - 1] ? -ENOEXEC : 0;
}

/* Where the loaded program finds its headers, which some segment must hold. */
static uint64_t headers_in_memory(const struct hp_elf *elf, uint64_t offset)
{
	for (unsigned i = 0; i < elf->count; i++) {
		const struct hp_segment *segment = &elf->segment[i];

		if (offset >= segment->file_offset && offset < segment->file_offset + segment->file_bytes)
			return segment->address + (offset - segment->file_offset);
	}
	return 0;
}

long hp_elf_read(int fd, struct hp_elf *elf)
{
	Elf64_Phdr headers[HEADERS_MAX];
	Elf64_Ehdr header;
	long failed;

	/* not the segments: pages that stay untouched cost nothing */
	elf->count = 0;
	elf->align = HP_PAGE;
	elf->low = elf->high = 0;
	elf->executable_stack = false;
	elf->interpreter[0] = 0;
	failed = read_at(fd, &header, sizeof header, 0);
	if (failed == -EIO || (!failed && !is_for_us(&header)) || header.e_phnum > HEADERS_MAX)
		return -ENOEXEC;
	if (failed)
		return failed;
	failed = read_at(fd, headers, header.e_phnum * sizeof *headers, header.e_phoff);
	for (unsigned i = 0; i < header.e_phnum && !failed; i++) {
		if (headers[i].p_type == PT_LOAD)
			failed = add_segment(elf, &headers[i]);
		else if (headers[i].p_type == PT_INTERP && !elf->interpreter[0])
			failed = read_interpreter(fd, elf, &headers[i]);
		else if (headers[i].p_type == PT_GNU_STACK)
			elf->executable_stack = headers[i].p_flags & PF_X;
	}
	if (failed)
		return failed;
	if (elf->count == 0)
		return -ENOEXEC;
	elf->fixed = header.e_type == ET_EXEC;
	elf->entry = header.e_entry;
	elf->header_count = header.e_phnum;
	elf->header_address = headers_in_memory(elf, header.e_phoff);
	return 0;
}
