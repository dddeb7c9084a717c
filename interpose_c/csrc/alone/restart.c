/* `./prog --hpool-restart FILE`, outside: the image is looked at, then a process of the number it had goes on from it.
 *
 * Numbers can be chosen in a PID name space of one's own: this process makes it, and stays to hand on signals and the
 * exit status. Process 1 there only waits. All of it runs on the stack of a program that has not begun.
 */
#include "look.h"

#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/wait.h>

#define KEPT_FD 3
#define SIGNALS_OF_FAULTS (1ull << 10 | 1ull << 6 | 1ull << 7 | 1ull << 3)

static _Noreturn void give_up(const char *path, const char *format, const char *text, long number)
{
	char line[700] = { 0 };
	hp_a_format(line, sizeof line, "%s cannot be gone on from: ", path, 0);
	hp_a_format(line, sizeof line, format, text, number);
	hp_a_say(line);
	SYS(exit_group, 125);
	__builtin_unreachable();
}

static void *room(const char *path, uint64_t bytes)
{
	long at = SYS(mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at < 0)
		give_up(path, "there is no memory", NULL, 0);
	return (void *)at;
}

/* Nothing of a file is believed before its sums are right. */
static struct hp_again *read_image(const char *path)
{
	long fd = SYS(open, path, O_RDONLY | O_CLOEXEC);
	struct hp_stat_ stat;
	if (fd < 0 || SYS(fstat, fd, &stat))
		give_up(path, "it cannot be opened (error %d)", NULL, -fd);
	struct hp_again *again = room(path, sizeof *again);
	struct hp_alone_head *head = &again->head;
	if (SYS(pread64, fd, head, sizeof *head, 0) != sizeof *head || head->magic != HP_ALONE_MAGIC)
		give_up(path, "it is no image of a relinked program, or torn", NULL, 0);
	if (head->version != HP_ALONE_VERSION)
		give_up(path, "it has format %d, which this program does not know", NULL, head->version);
	uint64_t sum = 0, at = sizeof *head; /* what is between is zeros, which leave no trace in the sum */
	char *piece = room(path, HP_ALONE_PIECE);
	bool is_whole = head->head_sum == hp_image_sum(0, head, offsetof(struct hp_alone_head, head_sum)) &&
			head->total == (uint64_t)stat.size;
	while (is_whole && at < head->total) {
		long got = SYS(pread64, fd, piece, HP_ALONE_PIECE, at);
		is_whole = got > 0;
		sum = is_whole ? hp_image_sum(sum, piece, (size_t)got) : 0;
		at += is_whole ? (uint64_t)got : 0;
	}
	uint64_t needed = head->threads * sizeof(struct hp_alone_thread) + head->vmas * sizeof(struct hp_alone_vma) +
			  head->runs * sizeof(struct hp_alone_run) + head->fds * sizeof(struct hp_alone_fd) +
			  head->string_bytes;
	if (!is_whole || sum != head->sum || needed != head->tables_bytes || head->tables_at + needed != head->total)
		give_up(path, "it is torn or altered", NULL, 0);
	char *tables = room(path, needed);
	SYS(pread64, fd, tables, needed, head->tables_at);
	again->threads = (const void *)tables;
	again->vmas = (const void *)(again->threads + head->threads);
	again->runs = (const void *)(again->vmas + head->vmas);
	again->fds = (const void *)(again->runs + head->runs);
	again->strings = (const void *)(again->fds + head->fds);
	again->image = (int)fd;
	return again;
}

static void check(const char *path, const struct hp_again *again)
{
	struct hp_stat_ stat;
	if (again->head.features & ~hp_a_features())
		give_up(path, "this machine's processor lacks features that the program may use", NULL, 0);
	for (unsigned n = 0; n < again->head.vmas; n++) {
		const struct hp_alone_vma *vma = &again->vmas[n];
		const char *name = again->strings + vma->path;
		if (!vma->path)
			continue;
		if (SYS(stat, name, &stat))
			give_up(path, "%s is gone, which it maps", name, 0);
		bool is_same = (uint64_t)stat.size == vma->size && stat.mtime[0] == vma->mtime_s &&
			       stat.mtime[1] == vma->mtime_ns;
		if (!is_same && vma->kind == HP_A_FILE)
			give_up(path, "%s, which it maps, has changed", name, 0);
	}
	for (unsigned n = 0; n < again->head.fds; n++)
		if (again->fds[n].kind == HP_A_PATH && SYS(stat, again->strings + again->fds[n].path, &stat))
			give_up(path, "%s is gone, which it had open", again->strings + again->fds[n].path, 0);
}

static bool write_text(const char *path, const char *format, long number)
{
	char text[64] = { 0 };
	hp_a_format(text, sizeof text, format, NULL, number);
	if (number >= 0)
		hp_a_format(text, sizeof text, " %d 1", NULL, number);
	long fd = SYS(open, path, O_WRONLY | O_CLOEXEC);
	bool fine = fd >= 0 && SYS(write, fd, text, hp_a_length(text)) > 0;
	if (fd >= 0)
		SYS(close, fd);
	return fine;
}

/* With the rights of one's own; else with those that a user name space of one's own gives. True: the latter. */
static bool make_name_spaces(const char *path)
{
	long uid = SYS(geteuid), gid = SYS(getegid);
	if (SYS(unshare, CLONE_NEWPID | CLONE_NEWNS) == 0)
		return false;
	long failed = SYS(unshare, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS);
	if (failed || !write_text("/proc/self/setgroups", "deny", -1) || !write_text("/proc/self/gid_map", "%d", gid) ||
	    !write_text("/proc/self/uid_map", "%d", uid))
		give_up(path, "this machine lets nobody choose process numbers (error %d)", NULL, -failed);
	return true;
}

static void find_scratch(const char *path, struct hp_again *again)
{
	const struct hp_alone_head *head = &again->head;
	uint64_t code = ((uint64_t)(hp_alone_end - hp_alone_begin) + 2 * HP_PAGE) & ~(HP_PAGE - 1);
	uint64_t tables = (sizeof *again + head->tables_bytes + HP_PAGE) & ~(HP_PAGE - 1);
	uint64_t stacks = (head->threads + 4) * HP_PAGE, parking = 64 * HP_PAGE;
	again->scratch_bytes = code + tables + stacks + parking;
	for (uint64_t at = 0x100000000000; at < 0x700000000000; at += 0x1000000) {
		bool is_free = true;
		for (unsigned n = 0; n < head->vmas && is_free; n++)
			is_free = again->vmas[n].end <= at || again->vmas[n].start >= at + again->scratch_bytes;
		if (is_free && SYS(mmap, at, again->scratch_bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (long)at) {
			again->scratch = at;
			again->stacks = (char *)(at + code + tables);
			again->parking = at + code + tables + stacks;
			return;
		}
	}
	give_up(path, "there is no room for what makes it again", NULL, 0);
}

/* The process that will be the program. What goes on from here is a copy of this code, out of the image's way. */
static _Noreturn void become(const char *path, struct hp_again *again)
{
	SYS(prctl, 1 /* PR_SET_PDEATHSIG */, 9);
	find_scratch(path, again);
	uint64_t code = (uint64_t)(hp_alone_end - hp_alone_begin);
	uint64_t data = again->scratch + ((code + 2 * HP_PAGE) & ~(HP_PAGE - 1));
	char *tables = (char *)(data + sizeof *again), *text = room(path, HP_ALONE_TEXT);
	const char **paths = room(path, HP_ALONE_VMAS * 16);
	memcpy((void *)again->scratch, hp_alone_begin, code);
	SYS(mprotect, again->scratch, data - again->scratch, PROT_READ | PROT_EXEC);
	memcpy(tables, again->threads, again->head.tables_bytes);
	if (hp_a_read("/proc/self/maps", text, HP_ALONE_TEXT) <= 0)
		give_up(path, "/proc does not tell of this process", NULL, 0);
	again->now_count = hp_a_maps(text, again->now, HP_ALONE_VMAS, paths, (uint64_t *)(paths + HP_ALONE_VMAS));
	uint64_t start, end;
	if (hp_a_vdso(again->now, again->now_count, &start, &end) != again->head.vdso_sum)
		give_up(path, "it was made under another kernel, whose vdso is another", NULL, 0);
	int highest = 2;
	for (unsigned n = 0; n < again->head.fds; n++)
		highest = again->fds[n].fd > highest ? again->fds[n].fd : highest;
	long moved = SYS(fcntl, again->image, F_DUPFD_CLOEXEC, highest + 1);
	if (moved < 0)
		give_up(path, "its descriptors are more than may be had here", NULL, 0);
	again->image = (int)moved;
	again->vmas = (const void *)(tables + ((const char *)again->vmas - (const char *)again->threads));
	again->runs = (const void *)(tables + ((const char *)again->runs - (const char *)again->threads));
	again->fds = (const void *)(tables + ((const char *)again->fds - (const char *)again->threads));
	again->strings = tables + (again->strings - (const char *)again->threads);
	again->threads = (const void *)tables;
	memcpy((void *)data, again, sizeof *again);
	SYS(arch_prctl, 0x1003 /* ARCH_GET_FS */, &start);
	(void)hp_a_let_rseq_go(start); /* libc's memory goes, and the kernel would write there */
	void (*go)(void *) = (void (*)(void *))(again->scratch + ((uint64_t)hp_a_again - (uint64_t)hp_alone_begin));
	hp_alone_on((void *)data, go, again->stacks + 4 * HP_PAGE);
}

static _Noreturn void be_the_first(void)
{
	SYS(prctl, 1 /* PR_SET_PDEATHSIG */, 9);
	SYS(mount, "none", "/", 0, 1 << 14 | 1 << 18 /* MS_REC, MS_PRIVATE */, 0);
	(void)SYS(mount, "proc", "/proc", "proc", 0, 0); /* where it is covered, the old one still tells of oneself */
	SYS(write, KEPT_FD, "", 1);
	SYS(close_range, 0, ~0u, 0); /* who reads the program's output is to see its end */
	for (;;) /* who is left of the program's descendants */
		if (SYS(wait4, -1, 0, 0, 0) < 0)
			SYS(pause);
}

/* What is typed comes to both of us; what is sent comes to us alone. */
static _Noreturn void attend(long child)
{
	uint64_t all = ~SIGNALS_OF_FAULTS;
	long own = SYS(getpid);
	for (;;) {
		int32_t info[32];
		uint32_t status;
		long number = SYS(rt_sigtimedwait, &all, info, 0, 8);
		if (SYS(wait4, child, &status, WNOHANG, 0) == child) {
			uint64_t none = 0, action[4] = { 0 };
			uint32_t signal_ = status & 0x7f;
			if (!signal_)
				SYS(exit_group, status >> 8 & 0xff);
			SYS(rt_sigaction, signal_, action, 0, 8);
			SYS(prctl, 4 /* PR_SET_DUMPABLE */, 0);
			SYS(kill, own, signal_);
			SYS(rt_sigprocmask, 2, &none, 0, 8);
			SYS(exit_group, 128 + signal_);
		}
		bool is_sent = info[2] <= 0;
		if (number > 0 && number != 17 && is_sent)
			SYS(kill, child, number);
		else if (number == 20 || number == 21 || number == 22)
			SYS(kill, own, 19);
	}
}

_Noreturn void hp_a_restart(const char *path)
{
	struct hp_again *again = read_image(path);
	uint64_t all = ~SIGNALS_OF_FAULTS;
	int ends[2];
	int32_t pid = (int32_t)again->head.pid;
	check(path, again);
	SYS(rt_sigprocmask, 2 /* SIG_SETMASK */, &all, 0, 8);
	again->has_own_rights = make_name_spaces(path);
	if (SYS(pipe2, ends, O_CLOEXEC))
		give_up(path, "there are no descriptors left", NULL, 0);
	long first = SYS(clone, 17 /* SIGCHLD */, 0, 0, 0, 0);
	if (first == 0) {
		SYS(close, ends[0]);
		if (ends[1] != KEPT_FD)
			SYS(dup2, ends[1], KEPT_FD), SYS(close, ends[1]);
		be_the_first();
	}
	char ready;
	SYS(close, ends[1]);
	if (first < 0 || SYS(read, ends[0], &ready, 1) != 1)
		give_up(path, "the first process of a name space cannot be made (error %d)", NULL, -first);
	SYS(close, ends[0]);
	struct clone_args arguments = { .exit_signal = 17, .set_tid = (uint64_t)&pid, .set_tid_size = 1 };
	long child = SYS(clone3, &arguments, sizeof arguments);
	if (child < 0)
		give_up(path, "process number %d cannot be had", NULL, pid);
	if (child == 0)
		become(path, again);
	SYS(close_range, 0, ~0u, 0);
	attend(child);
}
