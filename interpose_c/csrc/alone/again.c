/* `--hpool-restart`, inside: what runs here is a copy in a scratch that the image has no use for. Everything else is
 * taken away and made as it was; then each thread jumps to where it stood, in the program's own copy of this code.
 */
#include "look.h"

#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>

static _Noreturn void fail(const char *what, long number)
{
	char line[300] = { 0 };
	hp_a_format(line, sizeof line, "the image cannot be gone on from: %s (error %d)", what,
		    number < 0 ? -number : number);
	hp_a_say(line);
	SYS(exit_group, 125);
	__builtin_unreachable();
}

static void move_vdso(struct hp_again *again, uint64_t from, uint64_t to)
{
	for (unsigned n = 0; n < again->now_count; n++) {
		struct hp_alone_vma *vma = &again->now[n];
		if (vma->kind != HP_A_VDSO)
			continue;
		uint64_t at = vma->start - from + to, bytes = vma->end - vma->start;
		long moved = SYS(mremap, vma->start, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at);
		if (moved != (long)at)
			fail("the vdso cannot be moved", moved);
		vma->start = at, vma->end = at + bytes;
	}
}

static void clear(struct hp_again *again)
{
	for (unsigned n = 0; n < again->now_count; n++) {
		const struct hp_alone_vma *vma = &again->now[n];
		bool is_scratch = vma->start < again->scratch + again->scratch_bytes && again->scratch < vma->end;
		if (vma->kind != HP_A_VDSO && !is_scratch)
			SYS(munmap, vma->start, vma->end - vma->start);
	}
}

static bool has_content(const struct hp_again *again, const struct hp_alone_vma *vma)
{
	for (unsigned n = 0; n < again->head.runs; n++)
		if (again->runs[n].address < vma->end && again->runs[n].address + again->runs[n].bytes > vma->start)
			return true;
	return false;
}

static void map(struct hp_again *again, const struct hp_alone_vma *vma, bool is_filled)
{
	uint64_t flags = MAP_FIXED_NOREPLACE | MAP_NORESERVE, prot = vma->prot | (is_filled ? PROT_WRITE : 0);
	long fd = -1;
	flags |= vma->kind == HP_A_SHARED || vma->kind == HP_A_SHARED_FILE ? MAP_SHARED : MAP_PRIVATE;
	if (vma->path) {
		bool is_written = vma->kind == HP_A_SHARED_FILE && vma->prot & PROT_WRITE;
		fd = SYS(open, again->strings + vma->path, (is_written ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		if (fd < 0)
			fail(again->strings + vma->path, fd);
	} else {
		flags |= MAP_ANONYMOUS | (vma->grows ? MAP_GROWSDOWN : 0);
	}
	long at = SYS(mmap, vma->start, vma->end - vma->start, prot, flags, fd, vma->path ? vma->offset : 0);
	if (at != (long)vma->start)
		fail("memory cannot be mapped where it was", at);
	if (fd >= 0)
		SYS(close, fd);
}

static void make_memory(struct hp_again *again)
{
	const struct hp_alone_head *head = &again->head;
	uint64_t start, end, was_start, was_end;
	hp_a_vdso(again->now, again->now_count, &start, &end);
	hp_a_vdso(again->vmas, 0, &was_start, &was_end);
	for (unsigned n = 0; n < head->vmas; n++)
		if (again->vmas[n].kind == HP_A_VDSO) {
			was_start = was_start ? was_start : again->vmas[n].start;
			was_end = again->vmas[n].end;
		}
	if (end - start != was_end - was_start || end - start > 64 * HP_PAGE)
		fail("the vdso has another size", 0);
	clear(again);
	if (start != was_start)
		move_vdso(again, start, again->parking);
	for (unsigned n = 0; n < head->vmas; n++)
		if (again->vmas[n].kind != HP_A_VDSO)
			map(again, &again->vmas[n], has_content(again, &again->vmas[n]));
	if (start != was_start)
		move_vdso(again, again->parking, was_start);
	for (unsigned n = 0; n < head->runs; n++)
		for (uint64_t done = 0; done < again->runs[n].bytes;) {
			long got = SYS(pread64, again->image, again->runs[n].address + done,
				       again->runs[n].bytes - done, again->runs[n].at + done);
			if (got <= 0)
				fail("the image cannot be read", got);
			done += (uint64_t)got;
		}
	for (unsigned n = 0; n < head->vmas; n++) {
		const struct hp_alone_vma *vma = &again->vmas[n];
		if (vma->kind != HP_A_VDSO && !(vma->prot & PROT_WRITE))
			SYS(mprotect, vma->start, vma->end - vma->start, vma->prot);
	}
	again->head.mm.auxv = (uint64_t)again->head.auxv;
	long failed = SYS(prctl, 35 /* PR_SET_MM */, 14 /* PR_SET_MM_MAP */, &again->head.mm, sizeof again->head.mm, 0);
	if (failed)
		fail("the kernel does not take the layout of its memory", failed);
}

/* A standard stream is the caller's, as it is. But a file as stdin that is the one it was is read on from there. */
static void go_on_in(const struct hp_alone_fd *fd)
{
	struct hp_stat_ stat;
	if (fd->fd == 0 && fd->is_file && SYS(fstat, 0, &stat) == 0 && stat.inode == fd->inode &&
	    stat.device == fd->device)
		SYS(lseek, 0, fd->position, 0);
}

static void open_again(struct hp_again *again, const struct hp_alone_fd *fd)
{
	struct hp_stat_ stat;
	const char *path = again->strings + fd->path;
	long opened = SYS(open, path, fd->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC));
	if (opened < 0)
		fail(path, opened);
	/* What it appended after this moment it will append once more. */
	if (fd->is_file && fd->flags & O_APPEND && SYS(fstat, opened, &stat) == 0 &&
	    (uint64_t)stat.size > fd->position && fd->position)
		SYS(ftruncate, opened, fd->position);
	if (fd->is_file)
		SYS(lseek, opened, fd->position, 0);
	if (opened != fd->fd) {
		SYS(dup3, opened, fd->fd, fd->flags & O_CLOEXEC);
		SYS(close, opened);
	}
}

static void make_files(struct hp_again *again)
{
	SYS(close_range, 3, again->image - 1, 0);
	SYS(close_range, again->image + 1, ~0u, 0);
	bool had[3] = { false };
	for (unsigned n = 0; n < again->head.fds; n++) {
		const struct hp_alone_fd *fd = &again->fds[n];
		if (fd->kind == HP_A_STDIO)
			go_on_in(fd);
		else if (fd->kind == HP_A_PATH)
			open_again(again, fd);
		else
			SYS(dup3, fd->of, fd->fd, fd->flags & O_CLOEXEC);
		if (fd->fd <= 2)
			had[fd->fd] = true;
	}
	for (int n = 0; n <= 2; n++)
		if (!had[n])
			SYS(close, n);
	SYS(close, again->image);
}

struct birth {
	struct hp_again *again;
	const struct hp_alone_thread *thread;
};

static _Noreturn void resume(struct hp_again *again, const struct hp_alone_thread *thread)
{
	uint32_t header[2] = { 0x20080522, 0 }, none[6] = { 0 };
	SYS(arch_prctl, 0x1002, thread->fs);
	if (thread->gs)
		SYS(arch_prctl, 0x1001, thread->gs);
	SYS(set_robust_list, thread->robust, thread->robust_bytes);
	SYS(set_tid_address, thread->clear_tid);
	SYS(prctl, 15 /* PR_SET_NAME */, thread->name);
	if (again->has_own_rights)
		SYS(capset, header, none);
	for (int number = 1; number <= 64; number++) {
		uint64_t bit = 1ull << (number - 1);
		if (thread->pending & ~again->pending & bit)
			SYS(tgkill, again->head.pid, thread->tid, number);
		if (again->pending & bit && thread == &again->threads[again->head.leader])
			SYS(kill, again->head.pid, number);
	}
	hp_alone_jump(&thread->jump);
}

static void born(void *argument)
{
	const struct birth *birth = argument;
	resume(birth->again, birth->thread);
}

/* What is pending for every thread is the process's. */
static void make_threads(struct hp_again *again)
{
	again->pending = ~0ull;
	for (unsigned n = 0; n < again->head.threads; n++)
		again->pending &= again->threads[n].pending;
	for (unsigned n = 0; n < again->head.threads; n++) {
		const struct hp_alone_thread *thread = &again->threads[n];
		char *stack = again->stacks + (n + 4) * HP_PAGE; /* the first four are ours */
		struct birth *birth = (struct birth *)stack;
		int32_t tid = thread->tid;
		if (n == again->head.leader)
			continue;
		*birth = (struct birth){ again, thread };
		struct clone_args arguments = { .flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
							 CLONE_THREAD | CLONE_SYSVSEM,
						.stack = (uint64_t)stack + 64,
						.stack_size = HP_PAGE - 64,
						.set_tid = (uint64_t)&tid,
						.set_tid_size = 1 };
		long made = hp_alone_thread(&arguments, sizeof arguments, born, birth);
		if (made < 0)
			fail("a thread cannot be made", made);
	}
}

void hp_a_again(void *argument)
{
	struct hp_again *again = argument;
	const struct hp_alone_head *head = &again->head;
	make_memory(again);
	make_files(again);
	SYS(umask, head->umask);
	long failed = SYS(chdir, again->strings + head->directory);
	if (failed)
		fail(again->strings + head->directory, failed);
	for (int number = 1; number <= 64; number++)
		if (number != 9 && number != 19)
			SYS(rt_sigaction, number, head->actions[number - 1], 0, 8);
	for (int n = 0; n < 3; n++)
		if (head->timers[n][2] || head->timers[n][3])
			SYS(setitimer, n, head->timers[n], 0);
	struct hp_alone *alone = (struct hp_alone *)head->state;
	alone->scratch = again->scratch;
	alone->scratch_bytes = again->scratch_bytes;
	make_threads(again);
	resume(again, &again->threads[head->leader]);
}
