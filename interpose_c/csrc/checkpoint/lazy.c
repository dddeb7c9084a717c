/* Which memory of a job comes while it runs already, and what a process needs for that.
 *
 * Owns: the choice. Private anonymous memory only, where there is much of it: what of a mapping is there at once
 * is quicker than asking for it page by page. Leaves to others: filling (fill.c). The descriptor comes from
 * /dev/userfaultfd, which the starter opened: only such a one answers for the kernel's own accesses too, and only
 * the process itself can make it. It is in the process for two of its calls, before it runs.
 */
#include "lazy.h"
#include "../keeper/keeper.h"
#include "hpool/gate.h"
#include "hpool/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define MAPPING_MOST_AT_ONCE (256ull << 10)
#define LOADER_BYTES (1ull << 30) /* from its text on nothing waits: the gate is in there */
#define ROBUST_MOST 2048 /* as the kernel: ROBUST_LIST_LIMIT */
#define NEW_DESCRIPTOR _IO(0xAA, 0x00) /* USERFAULTFD_IOC_NEW, Linux 6.1 */
#define WANTED (UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP)

struct candidate {
	pid_t pid;
	bool out;
	uint64_t start, end, bytes;
};

static struct candidate *candidates;
static size_t count;
static const struct hp_faults *faults;

static int by_address(const void *a, const void *b)
{
	const struct candidate *first = a, *second = b;
	if (first->pid != second->pid)
		return (first->pid > second->pid) - (first->pid < second->pid);
	return (first->start > second->start) - (first->start < second->start);
}

static struct candidate *find(pid_t pid, uint64_t at)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct candidate *candidate = &candidates[middle];
		if (candidate->pid < pid || (candidate->pid == pid && candidate->end <= at))
			low = middle + 1;
		else
			high = middle;
	}
	struct candidate *found = low < count ? &candidates[low] : NULL;
	return found && found->pid == pid && found->start <= at && at < found->end ? found : NULL;
}

static void drop(struct candidate *candidate)
{
	if (candidate)
		candidate->out = true;
}

static bool may_wait(const struct hp_image_vma *vma)
{
	bool loaders = vma->start >= HP_TEXT_BASE && vma->start < HP_TEXT_BASE + LOADER_BYTES;
	return vma->kind == HP_V_ANON && !vma->shared && !(vma->flags & (HP_V_GROWSDOWN | HP_V_LOCKED)) && !loaders;
}

static void count_content(const struct hp_image *image)
{
	HP_EACH(image, hp_image_run, HP_R_RUN, run)
	{
		struct candidate *candidate = find(run->pid, run->at), *last = find(run->pid, run->at + run->bytes - 1);
		if (run->object)
			continue;
		if (candidate != last || (run->at | run->bytes | run->pages) % HP_IMAGE_PAGE)
			drop(candidate), drop(last);
		else if (candidate)
			candidate->bytes += run->bytes;
	}
	HP_EACH(image, hp_image_guard, HP_R_GUARD, guard) /* they would be filled over */
	for (size_t n = 0; n < count; n++)
		if (candidates[n].pid == guard->pid && guard->start < candidates[n].end &&
		    candidates[n].start < guard->end)
			candidates[n].out = true;
}

void hp_lazy_choose(const struct hp_image *image, const struct hp_faults *given, void (*last_pid)(pid_t))
{
	uint64_t bytes = 0;
	struct hp_gate gate = { "", NULL };
	faults = given;
	if (given->device < 0 || !hp_loader_find(HP_GATE_MAGIC, sizeof HP_GATE_MAGIC, &gate, sizeof gate))
		return;
	candidates = calloc(image->count[HP_R_VMA] + 1, sizeof *candidates);
	HP_EACH(image, hp_image_vma, HP_R_VMA, vma)
	if (candidates && may_wait(vma))
		candidates[count++] = (struct candidate){ .pid = vma->pid, .start = vma->start, .end = vma->end };
	if (count)
		qsort(candidates, count, sizeof *candidates, by_address);
	count_content(image);
	uint64_t least = given->least < MAPPING_MOST_AT_ONCE ? given->least : MAPPING_MOST_AT_ONCE;
	for (size_t n = 0; n < count; n++) {
		candidates[n].out |= candidates[n].bytes < least || candidates[n].bytes == 0;
		bytes += candidates[n].out ? 0 : candidates[n].bytes;
	}
	if (bytes == 0 || bytes < given->least) {
		count = 0;
		return;
	}
	pid_t free = HP_HIGHEST_PID; /* the first is the restorer's, the second the maker's */
	for (unsigned n = 0; n < 3; n++)
		free = hp_image_free_pid(image, free);
	last_pid(free);
	hp_fill_begin();
}

bool hp_lazy_is(const struct hp_image_run *run)
{
	const struct candidate *candidate = run->object ? NULL : find(run->pid, run->at);
	return candidate && !candidate->out;
}

void hp_lazy_inherit(const struct hp_faults *given, int above)
{
	hp_together->device = given->device < 0 ? -1 : fcntl(given->device, F_DUPFD, above + 1);
}

/* ---- what the kernel touches by itself: there before it does ------------------------------------------ */

struct touched {
	uint64_t *of;
	size_t count, room;
};

static bool touch(struct touched *touched, uint64_t at)
{
	if (touched->count == touched->room) {
		size_t room = touched->room ? touched->room * 2 : 64;
		uint64_t *larger = realloc(touched->of, room * sizeof *larger);
		if (larger == NULL)
			return false;
		touched->of = larger;
		touched->room = room;
	}
	touched->of[touched->count++] = at;
	return true;
}

/* Without waiting for a page. */
static bool look(const struct hp_lazy *lazy, pid_t pid, uint64_t at, void *bytes, size_t length)
{
	const struct candidate *candidate = find(pid, at);
	const struct hp_missing_range *range = hp_missing_find(&lazy->missing, at);
	if (candidate == NULL || candidate->out)
		return hp_remote_read(pid, at, bytes, length) == 0;
	if (range == NULL || range->end - at < length)
		return false;
	memcpy(bytes, lazy->content + range->pages + (at - range->start), length);
	return true;
}

/* A thread's end walks its list of robust locks without waiting for a page. What is put into it later has been
 * written to by then. */
static bool touch_robust(struct touched *touched, const struct hp_lazy *lazy, pid_t pid, uint64_t head)
{
	uint64_t list[3], at; /* struct robust_list_head: next, offset of the lock, one that is being taken */
	if (!look(lazy, pid, head, list, sizeof list))
		return true;
	at = list[0];
	for (unsigned n = 0; n <= ROBUST_MOST && (at & ~1ull) != head; n++) {
		uint64_t entry = at & ~1ull;
		if (!touch(touched, entry) || !touch(touched, entry + list[1]))
			return false;
		if (!look(lazy, pid, entry, &at, sizeof at))
			break;
	}
	return list[2] == 0 || touch(touched, (list[2] & ~1ull) + list[1]);
}

static bool fill_first(struct hp_lazy *lazy, const struct hp_restored *to)
{
	struct touched touched = { 0 };
	bool fine = true;
	for (unsigned n = 0; n < to->count && fine; n++) {
		const struct hp_image_thread *thread = to->states[n];
		struct user_regs_struct regs;
		memcpy(&regs, thread->regs, sizeof regs);
		const uint64_t pages[] = { thread->clear_tid,
					   thread->robust,
					   thread->robust + thread->robust_bytes,
					   thread->rseq,
					   thread->rseq + thread->rseq_bytes,
					   regs.rsp,
					   regs.fs_base,
					   regs.gs_base };
		for (unsigned p = 0; p < sizeof pages / sizeof *pages; p++)
			fine = fine && touch(&touched, pages[p]);
		if (thread->robust)
			fine = fine && touch_robust(&touched, lazy, to->process->pid, thread->robust);
	}
	for (size_t n = 0; n < touched.count && fine; n++)
		fine = hp_fill_page(lazy, touched.of[n]);
	free(touched.of);
	return fine;
}

/* ---- one process ------------------------------------------------------------------------------------------ */

static int make_descriptor(struct hp_restored *to)
{
	struct uffdio_api api = { .api = UFFD_API, .features = WANTED };
	int process = (int)syscall(SYS_pidfd_open, to->process->pid, 0);
	long theirs = HP_ASK(&to->leader, SYS_ioctl, hp_together->device, NEW_DESCRIPTOR, O_CLOEXEC | O_NONBLOCK);
	int ours = theirs < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, theirs, 0);
	if (theirs >= 0)
		(void)HP_ASK(&to->leader, SYS_close, theirs);
	close(process);
	if (ours >= 0 && ioctl(ours, UFFDIO_API, &api)) {
		close(ours);
		return -1;
	}
	return ours;
}

static bool watch(const struct hp_lazy *lazy, uint64_t start, uint64_t end)
{
	struct uffdio_register ask = { .range = { start, end - start }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	return ioctl(lazy->uffd, UFFDIO_REGISTER, &ask) == 0;
}

static bool watch_all(struct hp_restored *to, struct hp_lazy *lazy)
{
	struct hp_gate gate;
	for (size_t n = 0; n < count; n++)
		if (candidates[n].pid == to->process->pid && !candidates[n].out &&
		    !watch(lazy, candidates[n].start, candidates[n].end))
			return false;
	if (!hp_loader_find(HP_GATE_MAGIC, sizeof HP_GATE_MAGIC, &gate, sizeof gate))
		return false;
	lazy->gate = (uint64_t)(uintptr_t)gate.page;
	return HP_ASK(&to->leader, SYS_madvise, lazy->gate, HP_IMAGE_PAGE, MADV_DONTNEED) == 0 &&
	       watch(lazy, lazy->gate, lazy->gate + HP_IMAGE_PAGE);
}

static void watch_no_more(const struct hp_restored *to, const struct hp_lazy *lazy)
{
	struct uffdio_range gate = { lazy->gate, HP_IMAGE_PAGE };
	for (size_t n = 0; n < count; n++) {
		struct uffdio_range range = { candidates[n].start, candidates[n].end - candidates[n].start };
		if (candidates[n].pid == to->process->pid)
			(void)ioctl(lazy->uffd, UFFDIO_UNREGISTER, &range);
	}
	(void)ioctl(lazy->uffd, UFFDIO_UNREGISTER, &gate);
}

/* With those who end when we do, and do not end before the job has: without a descriptor there would be zeros. */
static bool hold(int uffd)
{
	struct {
		struct cmsghdr head;
		int fd;
	} held = { { CMSG_LEN(sizeof uffd), SOL_SOCKET, SCM_RIGHTS }, uffd };
	struct iovec bytes = { (char[]){ 0 }, 1 };
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &held, .msg_controllen = CMSG_LEN(sizeof uffd)
	};
	return sendmsg(faults->hold[1], &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static bool list_missing(const struct hp_restored *to, struct hp_lazy *lazy)
{
	HP_EACH(to->image, hp_image_run, HP_R_RUN, run)
	if (run->pid == to->process->pid && hp_lazy_is(run) &&
	    !hp_missing_add(&lazy->missing, run->at, run->at + run->bytes, run->pages))
		return false;
	return hp_missing_sort(&lazy->missing);
}

bool hp_lazy_begin(struct hp_restored *to)
{
	bool any = false;
	for (size_t n = 0; n < count; n++)
		any |= candidates[n].pid == to->process->pid && !candidates[n].out;
	struct hp_lazy *lazy = any ? calloc(1, sizeof *lazy) : NULL;
	if (lazy == NULL)
		return false;
	lazy->content = to->image->pages;
	lazy->uffd = make_descriptor(to);
	if (lazy->uffd >= 0 && list_missing(to, lazy) && watch_all(to, lazy) && hold(lazy->uffd) &&
	    fill_first(lazy, to) && hp_fill_add(lazy))
		return true;
	if (lazy->uffd >= 0) {
		watch_no_more(to, lazy);
		close(lazy->uffd);
	}
	hp_missing_free(&lazy->missing);
	free(lazy);
	return false;
}

void hp_lazy_end(void)
{
	if (count)
		hp_fill_end(faults->hold[0]);
}
