/* Which mapping holds an address of program text. Called under the rewriting lock.
 *
 * Only private mappings of files are told of: code that a program generates may
 * change under our feet, it stays on the slow way. (And of the vdso, which the
 * loader tells us of.) What was found is remembered until its mapping changes.
 */
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "hpool/arch.h"

#define KNOWN 32
static struct hp_text known[KNOWN]; /* end 0: free */

/* linux/fs.h since Linux 6.11 */
struct procmap_query {
	uint64_t size, flags, address;
	uint64_t start, end, vma_flags, page_size, offset, inode;
	uint32_t dev_major, dev_minor, name_size, build_id_size;
	uint64_t name, build_id;
};
_Static_assert(sizeof(struct procmap_query) == 104, "struct procmap_query");
#define PROCMAP_QUERY 0xc0686611u /* _IOWR('f', 17, struct procmap_query) */
enum { VMA_READ = 1, VMA_WRITE = 2, VMA_EXEC = 4, VMA_SHARED = 8 };

static bool fits(struct hp_text *text, uint64_t start, uint64_t end, unsigned flags, uint64_t inode)
{
	if (inode == 0 || flags & VMA_SHARED || !(flags & VMA_READ) || !(flags & VMA_EXEC))
		return false;
	text->start = start;
	text->end = end;
	text->protection = PROT_READ | PROT_EXEC | (flags & VMA_WRITE ? PROT_WRITE : 0);
	return true;
}

static int query(int fd, unsigned long address, struct hp_text *text)
{
	struct procmap_query ask = { .size = sizeof ask, .address = address };
	long failed = hp_syscall3(__NR_ioctl, fd, PROCMAP_QUERY, (long)&ask);

	if (failed == -ENOENT)
		return 0;
	if (failed)
		return -1;
	return fits(text, ask.start, ask.end, (unsigned)ask.vma_flags, ask.inode);
}

/* ---- kernels before 6.11: "start-end rwxp offset major:minor inode name" ---- */

static uint64_t number(const char **at, unsigned base)
{
	uint64_t value = 0;

	for (;; (*at)++) {
		unsigned digit = (unsigned char)**at;

		digit = digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : digit - '0';
		if (digit >= base)
			return value;
		value = value * base + digit;
	}
}

static void skip_field(const char **at)
{
	while (**at && **at != ' ')
		(*at)++;
	while (**at == ' ')
		(*at)++;
}

static bool line_holds(const char *line, unsigned long address, struct hp_text *text, bool *found)
{
	uint64_t start = number(&line, 16), end;
	unsigned flags = 0;

	line++;
	end = number(&line, 16);
	if (address < start || address >= end)
		return false;
	line++;
	flags |= line[0] == 'r' ? VMA_READ : 0;
	flags |= line[1] == 'w' ? VMA_WRITE : 0;
	flags |= line[2] == 'x' ? VMA_EXEC : 0;
	flags |= line[3] == 's' ? VMA_SHARED : 0;
	for (int field = 0; field < 3; field++)
		skip_field(&line);
	*found = fits(text, start, end, flags, number(&line, 10));
	return true;
}

static bool scan(int fd, unsigned long address, struct hp_text *text)
{
	static char buffer[4097]; /* not on the stack: we may be on a small one */
	unsigned have = 0;
	bool found = false;
	long got;

	while ((got = hp_syscall3(__NR_read, fd, (long)buffer + have, (long)(sizeof buffer - 1 - have))) > 0) {
		char *line = buffer, *end;

		have += (unsigned)got;
		buffer[have] = 0;
		for (;;) {
			for (end = line; *end && *end != '\n'; end++)
				;
			if (!*end)
				break;
			*end = 0;
			if (line_holds(line, address, text, &found))
				return found;
			line = end + 1;
		}
		have = (unsigned)(end - line);
		memmove(buffer, line, have);
		if (have == sizeof buffer - 1)
			have = 0; /* a name longer than any line we care for */
	}
	return false;
}

void hp_text_know(const struct hp_text *text)
{
	for (unsigned i = 0; i < KNOWN; i++)
		if (known[i].end == 0) {
			known[i] = *text;
			return;
		}
}

void hp_text_changed(unsigned long address, unsigned long length)
{
	for (unsigned i = 0; i < KNOWN; i++)
		if (known[i].end > address && known[i].start < address + length)
			__atomic_store_n(&known[i].end, 0, __ATOMIC_RELAXED);
}

bool hp_text_find(unsigned long address, struct hp_text *text)
{
	int answer;
	long fd;

	for (unsigned i = 0; i < KNOWN; i++)
		if (address >= known[i].start && address < known[i].end) {
			*text = known[i];
			return text->end != 0;
		}
	fd = hp_syscall4(__NR_openat, AT_FDCWD, (long)"/proc/thread-self/maps", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	answer = query((int)fd, address, text);
	if (answer < 0)
		answer = scan((int)fd, address, text);
	hp_syscall1(__NR_close, fd);
	if (answer)
		hp_text_know(text);
	return answer;
}
