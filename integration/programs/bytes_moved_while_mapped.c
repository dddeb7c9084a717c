/* Files whose bytes are moved by collapsing and inserting ranges, while they are written through
 * mappings, appended to and written in their midst; four processes, each with a file of its own.
 *
 * args: 700
 *
 * Each process knows what must be in its file, and says where that is not so.
 */
#include <linux/falloc.h>
#include <stdbool.h>
#include "say.h"

#define PROCESSES 4
#define MOST (1u << 21)
#define PAGE 4096u

static char model[MOST], found[MOST];
static size_t length;
static uint64_t state;
static int number, fd, end_fd;

static uint32_t any(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

static void look(long step)
{
	struct stat st;
	ssize_t got;
	size_t at = 0;

	MUST(fstat(fd, &st));
	got = MUST(pread(fd, found, MOST, 0));
	while (at < length && at < (size_t)got && found[at] == model[at])
		at++;
	if ((size_t)st.st_size == length && (size_t)got == length && at == length)
		return;
	printf("file %d, step %ld: size %ld, read %ld, of %zu; other bytes from %zu on\n", number, step,
	       (long)st.st_size, (long)got, length, at);
	exit(1);
}

/* What is written at `offset` next; behind the end there are zeros before it. */
static const char *fresh(size_t offset, size_t count)
{
	if (offset > length)
		memset(model + length, 0, offset - length);
	memset(model + offset, 'a' + (int)any(26), count);
	if (offset + count > length)
		length = offset + count;
	return model + offset;
}

static size_t most(size_t offset, size_t count)
{
	return offset + count > MOST ? MOST - offset : count;
}

static void write_mapped(void)
{
	size_t offset = any(length + 1), count = 1 + any(400000), begin = offset & ~(size_t)(PAGE - 1);
	char *map;

	if (offset + count > length)
		count = length - offset;
	if (count == 0)
		return;
	map = mmap(NULL, offset + count - begin, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)begin);
	if (map == MAP_FAILED) {
		printf("mmap: %s\n", strerrorname_np(errno));
		exit(1);
	}
	memcpy(map + offset - begin, fresh(offset, count), count);
	MUST(munmap(map, offset + count - begin));
}

static void append(void)
{
	size_t count = most(length, 1 + any(6000)), before = length;

	if (count > 0)
		MUST(write(end_fd, fresh(before, count), count));
}

static void move_range(void)
{
	size_t offset = any(length + 1) & ~(size_t)(PAGE - 1), count = PAGE * (1 + any(12));

	if (any(2) && offset + count < length) {
		if (fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, (off_t)offset, (off_t)count))
			return; /* not on every file system */
		memmove(model + offset, model + offset + count, length - offset - count);
		length -= count;
	} else if (offset < length && length + count <= MOST) {
		if (fallocate(fd, FALLOC_FL_INSERT_RANGE, (off_t)offset, (off_t)count))
			return;
		memmove(model + offset + count, model + offset, length - offset);
		memset(model + offset, 0, count);
		length += count;
	}
}

static void zero(void)
{
	size_t offset = any(MOST), count = most(offset, 1 + any(100000)), end = offset + count;
	bool keeps = any(2);

	if (fallocate(fd, FALLOC_FL_ZERO_RANGE | (keeps ? FALLOC_FL_KEEP_SIZE : 0), (off_t)offset, (off_t)count))
		return;
	if (end > length && !keeps) {
		memset(model + length, 0, end - length);
		length = end;
	}
	if (offset < length)
		memset(model + offset, 0, (end < length ? end : length) - offset);
}

static void cut(void)
{
	size_t now = any(3) ? length / 2 : any(MOST);

	MUST(ftruncate(fd, (off_t)now));
	if (now > length)
		memset(model + length, 0, now - length);
	length = now;
}

static void work(long steps)
{
	char name[20];

	state = (uint64_t)number * 7919 + 12345;
	snprintf(name, sizeof name, "moved.%d", number);
	fd = MUST(open(name, O_RDWR | O_CREAT, 0644));
	end_fd = MUST(open(name, O_WRONLY | O_APPEND));
	for (long step = 0; step < steps; step++) {
		size_t offset = any((uint32_t)length + 1), count = most(offset, 1 + any(50000));

		switch (any(10)) {
		case 0:
		case 1:
		case 2:
			write_mapped();
			break;
		case 3:
			append();
			break;
		case 4:
		case 5:
			move_range();
			break;
		case 6:
			zero();
			break;
		case 7:
			if (any(3) == 0)
				cut();
			break;
		default:
			MUST(pwrite(fd, fresh(offset, count), count, (off_t)offset));
		}
		look(step);
	}
}

int main(int argc, char **argv)
{
	int status;

	for (number = 0; number < PROCESSES; number++) {
		if (fork() == 0) {
			work(argc > 1 ? atol(argv[1]) : 100);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		YES(status == 0);
	return 0;
}
