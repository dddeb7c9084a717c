/* Random operations on a few files by three processes in turn; every result is printed.
 *
 * args: 2 300
 *
 * The seed decides everything, so two runs on equal directories print the same. A line is an
 * operation, who did it, and what came out; what was read appears as a checksum.
 */
#include <dirent.h>
#include <linux/falloc.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include "say.h"

#define PROCESSES 3
#define SLOTS 8
#define MOST (1 << 20)

static const char *names[] = { "big.bin", "lines.txt", "sparse.bin", "dir/a", "dir/b", "small.txt",
			       "n1",      "n2",        "dir/n3",     "d1",    "d1/n4", "link" };
static uint64_t state;
static struct {
	int fd;
	char *map;
	size_t length;
} slots[SLOTS];

static uint32_t any(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

static const char *name(void)
{
	return names[any(sizeof(names) / sizeof(names[0]))];
}

static off_t place(void)
{
	switch (any(4)) {
	case 0:
		return any(5000);
	case 1:
		return any(80) * 4096 + (any(2) ? 0 : any(4096));
	default:
		return any(MOST);
	}
}

static size_t amount(void)
{
	return any(3) == 0 ? any(200000) : any(6000);
}

static const char *outcome(long result)
{
	static char text[64];
	if (result < 0)
		return strerrorname_np(errno);
	snprintf(text, sizeof(text), "%ld", result);
	return text;
}

static unsigned char buffer[256 << 10];

static void fill(size_t length)
{
	uint32_t seed = any(1 << 30);
	for (size_t i = 0; i < length; i++)
		buffer[i] = (seed = seed * 1103515245 + 12345) >> 16;
}

static void sum(long got)
{
	printf("%s %08x\n", outcome(got), got > 0 ? (uint32_t)fnv(FNV_START, buffer, got) : 0);
}

static void describe(const char *what, const struct stat *st, long failed)
{
	if (failed)
		printf("%s %s\n", what, strerrorname_np(errno));
	else
		printf("%s %o size %ld links %ld%s\n", what, st->st_mode, S_ISDIR(st->st_mode) ? 0 : (long)st->st_size,
		       S_ISDIR(st->st_mode) ? 0 : (long)st->st_nlink, st->st_mtim.tv_sec < 1600000000 ? " old" : "");
}

static void on_slot(int kind, int slot)
{
	int fd = slots[slot].fd;
	off_t at = place(), to = place();
	size_t length = amount();
	struct stat st;
	struct iovec parts[2] = { { buffer, length / 2 }, { buffer + length / 2, length - length / 2 } };
	static const int modes[] = { 0,
				     FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_COLLAPSE_RANGE,
				     FALLOC_FL_INSERT_RANGE };

	switch (kind) {
	case 0:
	case 1:
		printf("pread %ld %zu: ", (long)at, length);
		sum(pread(fd, buffer, length, at));
		break;
	case 2:
	case 3:
		fill(length);
		printf("pwrite %ld %zu: %s\n", (long)at, length, outcome(pwrite(fd, buffer, length, at)));
		break;
	case 4:
		printf("read %zu: ", length);
		sum(read(fd, buffer, length));
		break;
	case 5:
		fill(length);
		printf("write %zu: %s\n", length, outcome(write(fd, buffer, length)));
		break;
	case 6:
		fill(length);
		printf("pwritev %ld %zu: %s\n", (long)at, length, outcome(pwritev(fd, parts, 2, at)));
		break;
	case 7:
		printf("preadv %ld %zu: ", (long)at, length);
		sum(preadv(fd, parts, 2, at));
		break;
	case 8:
		printf("seek %ld: %s\n", (long)at, outcome(lseek(fd, at, any(2) ? SEEK_SET : SEEK_CUR)));
		break;
	case 9:
		printf("ftruncate %ld: %s\n", (long)at, outcome(ftruncate(fd, at)));
		break;
	case 10: {
		int mode = modes[any(6)];
		if (mode >= FALLOC_FL_COLLAPSE_RANGE && any(3))
			at &= ~4095, length = (length | 4095) + 1;
		printf("fallocate %x %ld %zu: %s\n", mode, (long)at, length, outcome(fallocate(fd, mode, at, length)));
		break;
	}
	case 11:
		printf("fstat: ");
		describe("", &st, fstat(fd, &st));
		break;
	case 12: {
		int other = slots[any(SLOTS)].fd;
		printf("copy %ld to %ld %zu: %s\n", (long)at, (long)to, length,
		       outcome(copy_file_range(fd, &at, other, &to, length, 0)));
		break;
	}
	case 13: {
		int other = slots[any(SLOTS)].fd;
		printf("sendfile %ld %zu: %s\n", (long)at, length, outcome(sendfile(other, fd, &at, length)));
		break;
	}
	case 14:
		printf("fsync: %s\n", outcome(fsync(fd)));
		break;
	case 15: {
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { 1500000000 + any(1000), any(1000) } };
		printf("futimens: %s\n", outcome(futimens(fd, times)));
		break;
	}
	case 16: /* where holes are is each file system's own choice */
		printf("end: %s\n", outcome(lseek(fd, 0, SEEK_END)));
		break;
	default:
		printf("fchmod: %s\n", outcome(fchmod(fd, any(2) ? 0644 : 0600)));
	}
}

static void on_map(int slot)
{
	struct stat st;
	int fd = slots[slot].fd;
	size_t length, at;

	if (slots[slot].map) {
		printf("munmap: %s\n", outcome(munmap(slots[slot].map, slots[slot].length)));
		slots[slot].map = NULL;
		return;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < 4096) {
		printf("map: nothing to map\n");
		return;
	}
	length = (size_t)st.st_size & ~4095ul;
	slots[slot].map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (slots[slot].map == MAP_FAILED) {
		printf("map: %s\n", strerrorname_np(errno));
		slots[slot].map = NULL;
		return;
	}
	slots[slot].length = length;
	at = any(length);
	length = length - at < 5000 ? length - at : any(5000);
	printf("map, read %zu at %zu: %08x\n", length, at, (uint32_t)fnv(FNV_START, slots[slot].map + at, length));
	fill(length);
	memcpy(slots[slot].map + at, buffer, length);
	/* a mapping changes the file's times when the kernel gets to it, at the latest here */
	printf("msync: %s\n", outcome(msync(slots[slot].map, slots[slot].length, MS_SYNC)));
}

static void on_name(int kind)
{
	static const int flags[] = { O_RDONLY,
				     O_RDWR,
				     O_RDWR | O_CREAT,
				     O_WRONLY | O_CREAT | O_APPEND,
				     O_RDWR,
				     O_RDWR | O_APPEND,
				     O_RDWR | O_CREAT | O_EXCL,
				     O_RDWR | O_CREAT | O_TRUNC };
	const char *one = name(), *two = name();
	struct stat st;
	char value[50];

	switch (kind) {
	case 0:
	case 1:
	case 2: {
		int slot = (int)any(SLOTS), how = flags[any(8)];
		if (slots[slot].map)
			munmap(slots[slot].map, slots[slot].length);
		slots[slot].map = NULL;
		close(slots[slot].fd);
		slots[slot].fd = open(one, how, 0640);
		printf("open %s %o: %s\n", one, how, slots[slot].fd < 0 ? strerrorname_np(errno) : "ok");
		break;
	}
	case 3:
		printf("rename %s %s: %s\n", one, two, outcome(rename(one, two)));
		break;
	case 4:
		printf("exchange %s %s: %s\n", one, two,
		       outcome(renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE)));
		break;
	case 5:
		printf("link %s %s: %s\n", one, two, outcome(link(one, two)));
		break;
	case 6:
		printf("unlink %s: %s\n", one, outcome(unlink(one)));
		break;
	case 7:
		printf("mkdir %s: %s\n", one, outcome(mkdir(one, 0755)));
		break;
	case 8:
		printf("rmdir %s: %s\n", one, outcome(rmdir(one)));
		break;
	case 9:
	case 10:
		printf("stat ");
		describe(one, &st, stat(one, &st));
		break;
	case 11: {
		off_t size = place();
		printf("truncate %s %ld: %s\n", one, (long)size, outcome(truncate(one, size)));
		break;
	}
	case 12:
		printf("symlink %s %s: %s\n", one, two, outcome(symlink(one, two)));
		break;
	case 13: {
		DIR *stream = opendir(any(2) ? "dir" : ".");
		int count = 0;
		uint32_t all = 0;
		struct dirent *entry;
		while (stream && (entry = readdir(stream))) {
			count++;
			all += (uint32_t)fnv(FNV_START, entry->d_name, strlen(entry->d_name));
		}
		printf("list: %d %08x\n", count, all);
		if (stream)
			closedir(stream);
		break;
	}
	case 14:
		printf("setxattr %s: %s\n", one, outcome(setxattr(one, "user.f", two, strlen(two), 0)));
		break;
	default:
		printf("getxattr %s: %s\n", one, outcome(getxattr(one, "user.f", value, sizeof(value))));
	}
}

static void act(int step, int who)
{
	int slot = (int)any(SLOTS), kind = (int)any(10);

	printf("%d.%d ", step, who);
	if (kind < 6) {
		printf("[%d] ", slot);
		on_slot((int)any(18), slot);
	} else if (kind < 7) {
		printf("[%d] ", slot);
		on_map(slot);
	} else {
		on_name((int)any(16));
	}
}

int main(int argc, char **argv)
{
	int steps = argc > 2 ? atoi(argv[2]) : 100, turn[PROCESSES][2], done[2];
	struct {
		int step;
		uint64_t state;
	} baton = { 0, argc > 1 ? strtoul(argv[1], NULL, 0) : 1 };

	for (int i = 0; i < SLOTS; i++)
		slots[i].fd = -1;
	MUST(pipe(done));
	for (int who = 0; who < PROCESSES; who++)
		MUST(pipe(turn[who]));
	for (int who = 0; who < PROCESSES; who++)
		if (MUST(fork()) == 0) {
			close(turn[who][1]);
			for (int other = 0; other < PROCESSES; other++)
				if (other != who)
					close(turn[other][1]);
			while (read(turn[who][0], &baton, sizeof(baton)) == sizeof(baton)) {
				state = baton.state;
				act(baton.step, who);
				fflush(stdout);
				baton.state = state;
				MUST(write(done[1], &baton, sizeof(baton)));
			}
			_exit(0);
		}
	for (int step = 0; step < steps; step++) {
		state = baton.state;
		int who = (int)any(PROCESSES);
		baton.state = state;
		baton.step = step;
		MUST(write(turn[who][1], &baton, sizeof(baton)));
		if (read(done[0], &baton, sizeof(baton)) != sizeof(baton))
			return 98;
	}
	return 0;
}
