/* The image: written aside, read again, then given its name. Threads stand still meanwhile. */
#include "alone.h"

#include <linux/fcntl.h>

#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)
#define OF_FILE (1ull << 61)

struct writing {
	struct hp_alone *alone;
	int file, pagemap, memory;
	uint64_t at, sum;
	long failed;
};

static bool is_zero(const uint8_t *data, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += 8)
		if (*(const uint64_t *)(data + at))
			return false;
	return true;
}

static bool put(struct writing *to, const void *data, uint64_t bytes)
{
	to->failed = hp_a_write(to->file, data, bytes, to->at);
	to->sum = hp_image_sum(to->sum, data, bytes);
	to->at += bytes;
	return to->failed == 0;
}

/* Through a piece of memory that nobody writes to meanwhile: what is summed is what is written. */
static bool put_pages(struct writing *to, const struct hp_alone_vma *vma, uint64_t address, uint64_t bytes)
{
	struct hp_alone *alone = to->alone;
	struct hp_alone_head *head = &alone->head;
	if (vma->prot & 1)
		memcpy(alone->piece, (const void *)address, bytes);
	else if (SYS(pread64, to->memory, alone->piece, bytes, address) != (long)bytes)
		return hp_a_refuse(alone, "a part of its memory cannot be read", NULL, 0);
	if (vma->kind != HP_A_FILE && is_zero(alone->piece, bytes))
		return true;
	struct hp_alone_run *run = head->runs ? &alone->runs[head->runs - 1] : NULL;
	if (run && run->address + run->bytes == address && run->at + run->bytes == to->at) {
		run->bytes += bytes;
	} else if (head->runs < HP_ALONE_RUNS) {
		alone->runs[head->runs++] = (struct hp_alone_run){ address, bytes, to->at };
	} else {
		return hp_a_refuse(alone, "its memory is in more than %d parts", NULL, HP_ALONE_RUNS);
	}
	return put(to, alone->piece, bytes) ||
	       hp_a_refuse(alone, "%s cannot be written (error %d)", alone->aside, -to->failed);
}

static bool put_vma(struct writing *to, const struct hp_alone_vma *vma)
{
	uint64_t *pages = to->alone->pagemap, begin = 0, end = 0;
	for (uint64_t at = vma->start; at < vma->end;) {
		uint64_t count = (vma->end - at) / HP_PAGE;
		count = count > 512 ? 512 : count;
		if (vma->kind == HP_A_SHARED)
			memset(pages, 0xff, count * 8); /* what was swapped out does not show */
		else if (SYS(pread64, to->pagemap, pages, count * 8, at / HP_PAGE * 8) != (long)count * 8)
			return hp_a_refuse(to->alone, "/proc does not tell of its pages", NULL, 0);
		for (uint64_t n = 0; n < count; n++, at += HP_PAGE) {
			bool is_own =
				pages[n] & (PRESENT | SWAPPED) && (vma->kind != HP_A_FILE || !(pages[n] & OF_FILE));
			if (end > begin && (!is_own || end - begin == HP_ALONE_PIECE)) {
				if (!put_pages(to, vma, begin, end - begin))
					return false;
				begin = end = 0;
			}
			if (is_own)
				begin = end ? begin : at, end = at + HP_PAGE;
		}
	}
	return end <= begin || put_pages(to, vma, begin, end - begin);
}

static bool put_tables(struct writing *to)
{
	struct hp_alone *alone = to->alone;
	struct hp_alone_head *head = &alone->head;
	while (head->string_bytes % 8)
		alone->strings[head->string_bytes++] = 0;
	head->tables_at = to->at;
	bool fine = put(to, alone->threads, head->threads * sizeof *alone->threads) &&
		    put(to, alone->vmas, head->vmas * sizeof *alone->vmas) &&
		    put(to, alone->runs, head->runs * sizeof *alone->runs) &&
		    put(to, alone->fds, head->fds * sizeof *alone->fds) && put(to, alone->strings, head->string_bytes);
	head->tables_bytes = to->at - head->tables_at;
	head->total = to->at;
	head->sum = to->sum;
	head->head_sum = hp_image_sum(0, head, offsetof(struct hp_alone_head, head_sum));
	if (fine)
		to->failed = hp_a_write(to->file, head, sizeof *head, 0);
	return (fine && to->failed == 0) ||
	       hp_a_refuse(alone, "%s cannot be written (error %d)", alone->aside, -to->failed);
}

static bool is_what_was_written(struct writing *to)
{
	struct hp_alone *alone = to->alone;
	uint64_t sum = 0, at = HP_ALONE_HEAD;
	while (at < alone->head.total) {
		long got = SYS(pread64, to->file, alone->piece, HP_ALONE_PIECE, at);
		if (got <= 0)
			return false;
		sum = hp_image_sum(sum, alone->piece, (size_t)got);
		at += (uint64_t)got;
	}
	return sum == alone->head.sum;
}

static void sync_directory(const struct hp_alone *alone)
{
	char directory[4096];
	size_t length = hp_a_length(alone->path);
	while (length > 1 && alone->path[length] != '/')
		length--;
	memcpy(directory, alone->path, length);
	directory[length] = 0;
	long fd = SYS(open, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		SYS(fsync, fd), SYS(close, fd);
}

static bool write_into(struct writing *to)
{
	struct hp_alone *alone = to->alone;
	if (to->pagemap < 0 || to->memory < 0)
		return hp_a_refuse(alone, "/proc does not tell of its pages", NULL, 0);
	for (unsigned n = 0; n < alone->head.vmas; n++) {
		const struct hp_alone_vma *vma = &alone->vmas[n];
		bool is_piece = vma->start <= (uint64_t)alone->piece && (uint64_t)alone->piece < vma->end &&
				vma->end - vma->start == HP_ALONE_PIECE;
		if (vma->kind != HP_A_VDSO && vma->kind != HP_A_SHARED_FILE && !is_piece && !put_vma(to, vma))
			return false;
	}
	if (!put_tables(to))
		return false;
	if (SYS(fsync, to->file) || !is_what_was_written(to))
		return hp_a_refuse(alone, "%s does not hold what was written", alone->aside, 0);
	long failed = SYS(rename, alone->aside, alone->path);
	if (failed)
		return hp_a_refuse(alone, "%s cannot be made (error %d)", alone->path, -failed);
	sync_directory(alone);
	return true;
}

bool hp_a_write_image(struct hp_alone *alone)
{
	alone->aside[0] = 0;
	hp_a_format(alone->aside, sizeof alone->aside, "%s.%d", alone->path, alone->pid);
	struct writing to = { .alone = alone, .at = HP_ALONE_HEAD };
	to.file = (int)SYS(open, alone->aside, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to.file < 0)
		return hp_a_refuse(alone, "%s cannot be made (error %d)", alone->aside, -to.file);
	to.pagemap = (int)SYS(open, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	to.memory = (int)SYS(open, "/proc/self/mem", O_RDONLY | O_CLOEXEC);
	bool fine = write_into(&to);
	SYS(close, to.file);
	SYS(close, to.pagemap);
	SYS(close, to.memory);
	if (!fine)
		SYS(unlink, alone->aside);
	return fine;
}
