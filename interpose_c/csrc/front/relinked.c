/* Opening the gates of a relinked program: its system calls come here by a jump
 * from the start, without a signal and without a change of its text.
 *
 * What the note says is the program's word. It is believed where the program's own
 * memory is concerned, and only there. Anything odd, or a version we do not know:
 * the gates stay shut and the program is run as any other. Dispatch stays armed
 * for whatever has no gate.
 */
#include <linux/elf.h>
#include <linux/mman.h>

#include "front.h"
#include "hpool/relinked.h"

#define NOTE_NAME "hpool"
#define UP4(x) (((x) + 3ul) & ~3ul)

static struct {
	const uint8_t *stubs;
	uint32_t count;
} covered;

static uint64_t *opened;
static unsigned opened_count;

/* While all other threads are stopped: from now on every call is the program's own. */
void hp_relinked_shut(void)
{
	unsigned long first = (unsigned long)opened & ~(HP_PAGE - 1);

	if (!opened_count ||
	    hp_syscall3(__NR_mprotect, (long)first, (long)(HP_PAGE_UP((uint64_t)(opened + opened_count)) - first),
			PROT_READ | PROT_WRITE))
		return;
	memset(opened, 0, opened_count * sizeof *opened);
	opened_count = 0;
}

/* The program's memory at these addresses of its file, if one segment with `flags` holds all of it. */
static void *memory(const struct hp_elf *elf, const struct hp_placed *placed, uint64_t address, uint64_t bytes,
		    uint32_t flags)
{
	for (unsigned i = 0; i < elf->count; i++) {
		const struct hp_segment *segment = &elf->segment[i];

		if (address >= segment->address && address - segment->address <= segment->memory_bytes &&
		    bytes <= segment->memory_bytes - (address - segment->address))
			return (segment->flags & flags) == flags ? (void *)(placed->base + address) : NULL;
	}
	return NULL;
}

static void open_gates(const struct hp_elf *elf, const struct hp_placed *placed, uint64_t address, uint64_t bytes)
{
	const struct hp_relinked *note = memory(elf, placed, address, bytes, PF_R);
	uint64_t *gates;

	if (!note || address % 4 || bytes < sizeof *note || note->version != HP_RELINKED_VERSION ||
	    note->gate_count > (bytes - sizeof *note) / sizeof *note->number)
		return;
	gates = memory(elf, placed, address + (uint64_t)(int64_t)note->gates, note->gate_count * sizeof *gates,
		       PF_R | PF_W);
	if (!gates || (uint64_t)gates % sizeof *gates)
		return;
	covered.stubs = memory(elf, placed, address + (uint64_t)(int64_t)note->stubs,
			       (uint64_t)note->covered * HP_STUB_BYTES, PF_R | PF_X);
	if (!covered.stubs)
		return;
	covered.count = note->covered;
	opened = gates;
	opened_count = note->gate_count;
	for (unsigned i = 0; i < note->gate_count; i++) {
		unsigned nr = note->number[i];

		gates[i] = (uint64_t)(nr >= hp_handler_count ? hp_entry_any :
				      hp_handlers[nr]        ? hp_entry_handled :
							       hp_entry_native);
	}
}

/* A call through a gate returns right behind its syscall instruction, where nothing may change. */
bool hp_relinked_covers(const struct hp_text *text, unsigned long site)
{
	unsigned long first = (unsigned long)covered.stubs, bytes = (unsigned long)covered.count * HP_STUB_BYTES;

	if (first < text->start || first > text->end || bytes > text->end - first)
		return false; /* none, of another object, or unmapped since */
	for (const uint8_t *stub = covered.stubs; stub < covered.stubs + bytes; stub += HP_STUB_BYTES) {
		int32_t back;

		memcpy(&back, stub + HP_STUB_BACK, sizeof back);
		if ((unsigned long)stub + (unsigned long)(long)back == site + 2)
			return true;
	}
	return false;
}

static bool is_ours(const Elf64_Nhdr *note)
{
	return note->n_type == HP_NOTE_RELINKED && note->n_namesz == sizeof NOTE_NAME &&
	       hp_text_equal((const char *)(note + 1), NOTE_NAME);
}

static void look_through(const struct hp_elf *elf, const struct hp_placed *placed, const Elf64_Phdr *segment)
{
	const char *notes = memory(elf, placed, segment->p_vaddr, segment->p_memsz, PF_R);
	uint64_t at = 0;

	if (!notes || segment->p_vaddr % 4 || segment->p_align > 4) /* of another alignment: not where ours is */
		return;
	while (segment->p_memsz - at >= sizeof(Elf64_Nhdr)) {
		const Elf64_Nhdr *note = (const Elf64_Nhdr *)(notes + at);
		uint64_t name = UP4(note->n_namesz), rest = segment->p_memsz - at - sizeof *note;

		if (name > rest || note->n_descsz > rest - name)
			return;
		if (is_ours(note)) {
			open_gates(elf, placed, segment->p_vaddr + at + sizeof *note + name, note->n_descsz);
			return;
		}
		if (UP4(note->n_descsz) > rest - name)
			return;
		at += sizeof *note + name + UP4(note->n_descsz);
	}
}

void hp_relinked_open(const struct hp_elf *elf, const struct hp_placed *placed)
{
	const Elf64_Phdr *headers = NULL;

	if (elf->header_address)
		headers = memory(elf, placed, elf->header_address, elf->header_count * sizeof *headers, PF_R);
	for (unsigned i = 0; headers && i < elf->header_count; i++)
		if (headers[i].p_type == PT_NOTE)
			look_through(elf, placed, &headers[i]);
}
