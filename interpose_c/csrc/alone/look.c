/* What the process has, and whether all of it can be had again. Nothing is changed. */
#include "look.h"

#include <linux/fcntl.h>

uint32_t hp_a_keep(struct hp_alone *alone, const char *text)
{
	uint32_t at = alone->head.string_bytes;
	size_t bytes = hp_a_length(text) + 1;
	if (at + bytes > HP_ALONE_STRINGS)
		return 0;
	memcpy(alone->strings + at, text, bytes);
	alone->head.string_bytes += (uint32_t)bytes;
	return at;
}

uint64_t hp_a_features(void)
{
	uint32_t low, high, eax = 1, ebx, ecx = 0, edx;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	if (!(ecx & 1u << 27))
		return 3;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

uint64_t hp_a_vdso(const struct hp_alone_vma *vmas, unsigned count, uint64_t *start, uint64_t *end)
{
	uint64_t sum = 0;
	*start = *end = 0;
	for (unsigned n = 0; n < count; n++) {
		if (vmas[n].kind != HP_A_VDSO)
			continue;
		*start = *start ? *start : vmas[n].start;
		*end = vmas[n].end;
		if (vmas[n].prot & 4)
			sum = hp_image_sum(sum, (const void *)vmas[n].start, vmas[n].end - vmas[n].start);
	}
	return sum;
}

unsigned hp_a_maps(char *text, struct hp_alone_vma *vmas, unsigned room, const char **paths, uint64_t *inodes)
{
	unsigned count = 0;
	while (*text && count < room) {
		const char *at = text;
		struct hp_alone_vma *vma = &vmas[count];
		memset(vma, 0, sizeof *vma);
		vma->start = hp_a_number(&at, 16), at++;
		vma->end = hp_a_number(&at, 16), at++;
		vma->prot = (at[0] == 'r') | (at[1] == 'w') << 1 | (at[2] == 'x') << 2;
		bool shared = at[3] == 's';
		at += 5;
		vma->offset = hp_a_number(&at, 16), at++;
		(void)hp_a_number(&at, 16), at++;
		(void)hp_a_number(&at, 16), at++;
		*inodes = hp_a_number(&at, 10);
		while (*at == ' ')
			at++;
		char *end = (char *)at;
		while (*end && *end != '\n')
			end++;
		text = end + (*end == '\n');
		*end = 0;
		*paths = at;
		if (hp_a_same(at, "[vsyscall]"))
			continue;
		vma->grows = hp_a_same(at, "[stack]");
		if (hp_a_same(at, "[vdso]") || hp_a_after(at, "[vvar"))
			vma->kind = HP_A_VDSO;
		else if (*at == '/')
			vma->kind = !shared                              ? HP_A_FILE :
				    hp_a_same(at, "/dev/zero (deleted)") ? HP_A_SHARED :
									   HP_A_SHARED_FILE;
		paths++, inodes++, count++;
	}
	return count;
}

static bool look_at_maps(struct hp_alone *alone)
{
	const char **paths = (const char **)(alone->text + HP_ALONE_TEXT - (2 * HP_ALONE_VMAS * 8));
	uint64_t *inodes = (uint64_t *)(paths + HP_ALONE_VMAS);
	if (hp_a_read("/proc/self/maps", alone->text, HP_ALONE_TEXT - 2 * HP_ALONE_VMAS * 8) <= 0)
		return hp_a_refuse(alone, "its mappings cannot be read", NULL, 0);
	unsigned count = alone->head.vmas = hp_a_maps(alone->text, alone->vmas, HP_ALONE_VMAS, paths, inodes);
	if (count == HP_ALONE_VMAS)
		return hp_a_refuse(alone, "it has more than %d mappings", NULL, HP_ALONE_VMAS - 1);
	for (unsigned n = 0; n < count; n++)
		if (hp_a_after(paths[n], "/.hpool/"))
			return hp_a_refuse(alone, "it runs under hpool: hpool checkpoint writes it down", NULL, 0);
	for (unsigned n = 0; n < count; n++) {
		struct hp_alone_vma *vma = &alone->vmas[n];
		struct hp_stat_ stat;
		if (vma->kind != HP_A_FILE && vma->kind != HP_A_SHARED_FILE)
			continue;
		if (hp_a_ends(paths[n], " (deleted)") || SYS(stat, paths[n], &stat) || stat.inode != inodes[n] ||
		    (stat.mode & 0170000) != 0100000)
			return hp_a_refuse(alone, "it maps %s, which no name leads to any more", paths[n], 0);
		vma->size = (uint64_t)stat.size;
		vma->mtime_s = stat.mtime[0];
		vma->mtime_ns = stat.mtime[1];
		vma->path = hp_a_keep(alone, paths[n]);
		if (!vma->path)
			return hp_a_refuse(alone, "it has too many names", NULL, 0);
	}
	return true;
}

/* The number that stands behind "name:" in text of /proc. */
static uint64_t field(const char *text, const char *name, unsigned base)
{
	for (; *text; text++) {
		const char *at = hp_a_after(text, name);
		while (at && (*at == '\t' || *at == ' '))
			at++;
		if (at)
			return hp_a_number(&at, base);
	}
	return 0;
}

static bool is_harmless(const char *path)
{
	static const char names[][13] = { "/dev/null",   "/dev/zero",    "/dev/full",
					  "/dev/random", "/dev/urandom", "/dev/tty" };
	for (unsigned n = 0; n < sizeof names / sizeof *names; n++)
		if (hp_a_same(path, names[n]))
			return true;
	return false;
}

static bool look_at_fd(struct hp_alone *alone, int32_t number)
{
	struct hp_alone_fd *fd = &alone->fds[alone->head.fds];
	struct hp_stat_ stat, named;
	char name[48] = { 0 }, info[256];
	char *path = alone->text;
	memset(fd, 0, sizeof *fd);
	hp_a_format(name, sizeof name, "/proc/self/fdinfo/%d", NULL, number);
	if (SYS(fstat, number, &stat) || hp_a_read(name, info, sizeof info) <= 0)
		return true; /* closed meanwhile: it was ours */
	name[0] = 0;
	hp_a_format(name, sizeof name, "/proc/self/fd/%d", NULL, number);
	long length = SYS(readlink, name, path, 4095);
	path[length > 0 ? length : 0] = 0;
	*fd = (struct hp_alone_fd){ .fd = number,
				    .flags = (uint32_t)field(info, "flags:", 8),
				    .position = field(info, "pos:", 10),
				    .device = stat.device,
				    .inode = stat.inode,
				    .is_file = (stat.mode & 0170000) == 0100000 };
	alone->head.fds++;
	bool is_terminal = (stat.mode & 0170000) == 0020000 && !is_harmless(path);
	for (unsigned n = 0; n + 1 < alone->head.fds; n++) {
		const struct hp_alone_fd *other = &alone->fds[n];
		bool is_same =
			SYS(kcmp, alone->pid, alone->pid, 0, other->fd, number) == 0 ||
			(is_terminal && other->fd <= 2 && other->inode == stat.inode && other->device == stat.device);
		if (is_same && number > 2) {
			fd->kind = HP_A_DUP;
			fd->of = other->fd;
			return true;
		}
	}
	if (number <= 2) {
		fd->kind = HP_A_STDIO;
		fd->of = number;
		return true;
	}
	uint32_t kind = stat.mode & 0170000;
	bool may_be = kind == 0100000 || kind == 0040000 || (kind == 0020000 && is_harmless(path));
	if (!may_be)
		return hp_a_refuse(alone, "its descriptor %d is %s, which cannot be had again",
				   *path ? path : "of another kind", number);
	if (SYS(stat, path, &named) || named.inode != stat.inode || named.device != stat.device)
		return hp_a_refuse(alone, "its descriptor %d is %s, which no name leads to any more", path, number);
	fd->kind = HP_A_PATH;
	fd->path = hp_a_keep(alone, path);
	return fd->path || hp_a_refuse(alone, "it has too many names", NULL, 0);
}

static bool look_at_fds(struct hp_alone *alone)
{
	int32_t *numbers = (int32_t *)alone->pagemap;
	long count = hp_a_numbers("/proc/self/fd", numbers, HP_ALONE_FDS);
	if (count < 0 || count >= HP_ALONE_FDS)
		return hp_a_refuse(alone, "its descriptors are more than %d", NULL, HP_ALONE_FDS - 1);
	for (long n = 1; n < count; n++) /* by number: what others are the same as comes first */
		for (long m = n; m > 0 && numbers[m - 1] > numbers[m]; m--) {
			int32_t lower = numbers[m];
			numbers[m] = numbers[m - 1], numbers[m - 1] = lower;
		}
	for (long n = 0; n < count; n++)
		if (!look_at_fd(alone, numbers[n]))
			return false;
	return true;
}

static bool look_at_kin(struct hp_alone *alone)
{
	int32_t *tids = (int32_t *)alone->pagemap;
	long count = hp_a_numbers("/proc/self/task", tids, HP_ALONE_THREADS);
	for (long n = 0; n < count; n++) {
		char path[64] = { 0 };
		hp_a_format(path, sizeof path, "/proc/self/task/%d/children", NULL, tids[n]);
		if (hp_a_read(path, alone->text, 64) > 0)
			return hp_a_refuse(alone, "it has a child, process %s", alone->text, 0);
	}
	if (hp_a_read("/proc/self/timers", alone->text, 4096) > 0)
		return hp_a_refuse(alone, "it has timers made by timer_create", NULL, 0);
	if (hp_a_read("/proc/self/status", alone->text, HP_ALONE_TEXT) > 0 && field(alone->text, "\nSeccomp:", 10))
		return hp_a_refuse(alone, "it has a seccomp filter", NULL, 0);
	return alone->pid > 1 || hp_a_refuse(alone, "it is process 1 of its name space", NULL, 0);
}

static bool look_at_memory(struct hp_alone *alone)
{
	static const uint8_t fields[] = { 26, 27, 45, 46, 47, 0, 28, 48, 49, 50, 51 };
	struct hp_alone_mm *mm = &alone->head.mm;
	uint64_t *to = &mm->start_code;
	if (hp_a_read("/proc/self/stat", alone->text, 4096) <= 0)
		return hp_a_refuse(alone, "/proc does not tell of it", NULL, 0);
	for (unsigned n = 0; n < sizeof fields; n++) {
		const char *at = alone->text + hp_a_length(alone->text);
		while (*at != ')')
			at--; /* the name before may hold anything */
		for (unsigned left = fields[n]; left > 2; left--)
			while (*++at && *at != ' ')
				;
		to[n] = fields[n] && *at ? (at++, hp_a_number(&at, 10)) : 0;
	}
	mm->brk = (uint64_t)SYS(brk, 0);
	long bytes = hp_a_read("/proc/self/auxv", (char *)alone->head.auxv, sizeof alone->head.auxv);
	mm->auxv = 0;
	mm->auxv_bytes = bytes > 0 ? (uint32_t)bytes & ~15u : 0;
	mm->exe_fd = ~0u;
	return true;
}

bool hp_a_look(struct hp_alone *alone)
{
	struct hp_alone_head *head = &alone->head;
	uint64_t start, end;
	head->string_bytes = 1; /* 0: none */
	head->fds = head->runs = 0;
	if (!look_at_maps(alone) || !look_at_kin(alone) || !look_at_fds(alone) || !look_at_memory(alone))
		return false;
	head->magic = HP_ALONE_MAGIC;
	head->version = HP_ALONE_VERSION;
	head->pid = (uint32_t)alone->pid;
	head->leader = 0;
	head->features = hp_a_features();
	head->vdso_sum = hp_a_vdso(alone->vmas, head->vmas, &start, &end);
	head->state = (uint64_t)alone;
	head->umask = (uint32_t)SYS(umask, 0);
	SYS(umask, head->umask);
	for (unsigned n = 0; n < 3; n++)
		SYS(getitimer, n, head->timers[n]);
	for (unsigned n = 0; n < 64; n++)
		SYS(rt_sigaction, n + 1, 0, head->actions[n], 8);
	if (SYS(getcwd, alone->text, 4096) < 0 || alone->text[0] != '/')
		return hp_a_refuse(alone, "its working directory has no name", NULL, 0);
	head->directory = hp_a_keep(alone, alone->text);
	memset(alone->text, 0, 4096);
	SYS(readlink, "/proc/self/exe", alone->text, 4095);
	head->exe = hp_a_keep(alone, alone->text);
	return (head->directory && head->exe) || hp_a_refuse(alone, "it has too many names", NULL, 0);
}
