/* A process's memory, made again in the loader that it has just executed.
 *
 * The loader is at one address in every process, so its text stays: the `syscall` instruction we use
 * is in it. Everything else goes, the kernel's own mappings move to where they were, the
 * image's are mapped, their content is written from outside.
 */
#include "restore.h"
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define FRESH 64 /* mappings of a loader that has just begun */
#define SCRATCH_LOW 0x10000ull
#define PIECE (4ul << 20) /* of the image: what has been written of it counts as memory of the job's no more */
#define ADDRESS_MOST 0x7ffffffff000ull

struct fresh {
	uint64_t start, end;
	char name[24];
	bool keep;
};

static bool failed(const struct hp_restored *to, const char *what, uint64_t at, long error)
{
	return hp_refuse("process %d: %s at %lx: %s", (int)to->process->pid, what, (unsigned long)at,
			 strerror((int)-error));
}

static bool is_error(long result)
{
	return result < 0 && result > -4096;
}

static unsigned read_fresh(pid_t pid, struct fresh *maps)
{
	char *text = hp_proc_text(pid, "maps", NULL);
	unsigned count = 0;
	for (char *line = text; line != NULL && *line && count < FRESH;
	     line = strchr(line, '\n'), line += line != NULL) {
		unsigned long start, end;
		char name[24] = "";
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %23[^\n]", &start, &end, name) >= 2 &&
		    strncmp(name, "[vsyscall]", 10)) {
			maps[count] = (struct fresh){ .start = start, .end = end };
			memcpy(maps[count++].name, name, sizeof name);
		}
	}
	free(text);
	return count;
}

/* An address range that is free in both layouts. */
static uint64_t find_hole(const struct hp_restored *to, const struct fresh *maps, unsigned count, uint64_t bytes)
{
	uint64_t at = SCRATCH_LOW;
	for (bool moved = true; moved && at < ADDRESS_MOST - bytes;) {
		moved = false;
		for (unsigned n = 0; n < count; n++)
			if (at < maps[n].end && maps[n].start < at + bytes)
				at = maps[n].end, moved = true;
		HP_EACH(to->image, hp_image_vma, HP_R_VMA, vma)
		if (vma->pid == to->process->pid && at < vma->end && vma->start < at + bytes)
			at = vma->end, moved = true;
	}
	return at < ADDRESS_MOST - bytes ? at : 0;
}

static const struct hp_image_vma *kernel_vma(const struct hp_restored *to, const char *name)
{
	HP_EACH(to->image, hp_image_vma, HP_R_VMA, vma)
	if (vma->pid == to->process->pid && vma->kind == HP_V_KERNEL && !strcmp(vma->name, name))
		return vma;
	return NULL;
}

static long move(struct hp_remote *leader, uint64_t from, uint64_t bytes, uint64_t to)
{
	long result = HP_ASK(leader, SYS_mremap, from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	return is_error(result) ? result : 0;
}

/* [vvar], [vvar_vclock] and [vdso] one after the other, over a hole: their places may overlap. */
static bool move_kernels(struct hp_restored *to, struct fresh *maps, unsigned count)
{
	for (int pass = 0; pass < 2; pass++)
		for (unsigned n = 0; n < count; n++) {
			uint64_t bytes = maps[n].end - maps[n].start, target;
			const struct hp_image_vma *vma = kernel_vma(to, maps[n].name);
			if (maps[n].name[0] != '[' || maps[n].name[1] != 'v')
				continue;
			if (vma && vma->end - vma->start != bytes)
				return hp_refuse("this kernel's %s is of another size", maps[n].name);
			if (vma == NULL || maps[n].start == vma->start) {
				maps[n].keep = vma != NULL;
				continue;
			}
			target = pass ? vma->start : find_hole(to, maps, count, bytes);
			long error = target ? move(&to->leader, maps[n].start, bytes, target) : -ENOMEM;
			if (error)
				return failed(to, "moving the vdso", target, error);
			maps[n].start = target;
			maps[n].end = target + bytes;
			maps[n].keep = true;
		}
	return true;
}

static bool clear(struct hp_restored *to)
{
	static struct fresh maps[FRESH];
	struct hp_remote *leader = &to->leader;
	unsigned count = read_fresh(to->process->pid, maps);
	for (unsigned n = 0; n < count; n++)
		if (!strcmp(maps[n].name, HP_LOADER) && leader->syscall_at == 0) {
			leader->syscall_at = hp_remote_find_syscall(leader->tid, maps[n].start, maps[n].end);
			maps[n].keep = leader->syscall_at != 0;
		}
	if (!leader->syscall_at)
		return hp_refuse("the loader cannot be used");
	uint64_t scratch = find_hole(to, maps, count, HP_SCRATCH);
	long got = HP_ASK(leader, SYS_mmap, scratch, HP_SCRATCH, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1);
	if (is_error(got))
		return failed(to, "scratch", scratch, got);
	leader->scratch = scratch;
	maps[count++] = (struct fresh){ .start = scratch, .end = scratch + HP_SCRATCH, .keep = true };
	for (unsigned n = 0; n < count; n++)
		if (!maps[n].keep && strncmp(maps[n].name, "[v", 2) &&
		    HP_ASK(leader, SYS_munmap, maps[n].start, maps[n].end - maps[n].start))
			return failed(to, "unmapping", maps[n].start, -EINVAL);
	if (!move_kernels(to, maps, count))
		return false;
	for (unsigned n = 0; n < count; n++)
		if (!maps[n].keep && maps[n].name[0] == '[' && maps[n].name[1] == 'v')
			(void)HP_ASK(leader, SYS_munmap, maps[n].start, maps[n].end - maps[n].start);
	return true;
}

static bool is_loader_text(const struct hp_restored *to, const struct hp_image_vma *vma)
{
	return to->leader.syscall_at >= vma->start && to->leader.syscall_at < vma->end;
}

static uint64_t content_of(const struct hp_restored *to, const struct hp_image_vma *vma)
{
	uint64_t bytes = 0;
	HP_EACH(to->image, hp_image_run, HP_R_RUN, run)
	if (run->object == 0 && run->pid == vma->pid && run->at >= vma->start && run->at < vma->end)
		bytes += run->bytes;
	return bytes;
}

/* Code that is no longer what it was would run on registers and memory of the old. */
static bool is_as_it_was(const struct hp_image_vma *vma, const struct hp_image_object *object)
{
	struct stat found;
	const char *path = hp_image_path(object);
	if (object->kind != HP_O_NAMED || vma->shared || !strcmp(path, HP_LOADER))
		return true;
	if (stat(path, &found) == 0 && (uint64_t)found.st_size == object->size &&
	    found.st_mtim.tv_sec == object->mtime_s && found.st_mtim.tv_nsec == object->mtime_ns)
		return true;
	return hp_refuse("process %d maps %s, which has changed since", (int)vma->pid, path);
}

static int open_mapped(struct hp_restored *to, const struct hp_image_vma *vma, const struct hp_image_object *object)
{
	char path[64];
	const char *name = hp_image_path(object);
	if (object->kind == HP_O_MEMORY && to->image->index[object->id].has_name) {
		name = hp_image_name_of(to->image, object->id);
	} else if (object->kind == HP_O_MEMORY) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", hp_fd_of_object(to->image, object->id));
		name = path;
	}
	int flags = vma->shared && vma->prot & PROT_WRITE ? O_RDWR : O_RDONLY;
	if (hp_remote_write(to->leader.tid, to->leader.scratch, name, strlen(name) + 1))
		return -EFAULT;
	/* what may be written later must be open for writing now: shared mappings are, if the file lets us */
	bool ours = !strncmp(name, "/.hpool/attrs", sizeof "/.hpool/attrs"); /* never to be written, by anybody */
	long fd = vma->shared && !ours ?
			  HP_ASK(&to->leader, SYS_openat, AT_FDCWD, to->leader.scratch, O_RDWR | O_CLOEXEC) :
			  -1;
	if (fd < 0)
		fd = HP_ASK(&to->leader, SYS_openat, AT_FDCWD, to->leader.scratch, flags | O_CLOEXEC);
	return (int)fd;
}

static bool advise(struct hp_restored *to, const struct hp_image_vma *vma)
{
	static const struct {
		uint32_t flag;
		int advice;
	} advices[] = {
		{ HP_V_DONTFORK, MADV_DONTFORK },     { HP_V_DONTDUMP, MADV_DONTDUMP },
		{ HP_V_WIPEONFORK, MADV_WIPEONFORK }, { HP_V_HUGE, MADV_HUGEPAGE },
		{ HP_V_NOHUGE, MADV_NOHUGEPAGE },     { HP_V_SEQUENTIAL, MADV_SEQUENTIAL },
		{ HP_V_RANDOM, MADV_RANDOM },         { HP_V_MERGEABLE, MADV_MERGEABLE },
	};
	for (unsigned n = 0; n < sizeof advices / sizeof *advices; n++)
		if (vma->flags & advices[n].flag)
			(void)HP_ASK(&to->leader, SYS_madvise, vma->start, vma->end - vma->start, advices[n].advice);
	if (vma->flags & HP_V_LOCKED)
		(void)HP_ASK(&to->leader, SYS_mlock, vma->start, vma->end - vma->start);
	return true;
}

static bool map(struct hp_restored *to, const struct hp_image_vma *vma)
{
	const struct hp_image_object *object = hp_image_object(to->image, vma->object);
	uint32_t flags = vma->shared ? MAP_SHARED : MAP_PRIVATE;
	int fd = -1;
	bool writes = !vma->shared && !(vma->prot & PROT_WRITE) && content_of(to, vma);
	if (vma->kind == HP_V_KERNEL || is_loader_text(to, vma) || hp_is_attached(to->image, vma))
		return true;
	flags |= MAP_FIXED_NOREPLACE;
	if (vma->kind == HP_V_ANON) {
		flags |= MAP_ANONYMOUS | (vma->flags & HP_V_GROWSDOWN ? MAP_GROWSDOWN : 0);
	} else {
		if (!is_as_it_was(vma, object))
			return false;
		fd = open_mapped(to, vma, object);
		if (fd < 0)
			return hp_refuse("process %d maps %s, which cannot be opened: %s", (int)vma->pid,
					 hp_image_path(object), strerror(-fd));
	}
	flags |= vma->flags & HP_V_NORESERVE ? MAP_NORESERVE : 0;
	long got = HP_ASK(&to->leader, SYS_mmap, vma->start, vma->end - vma->start,
			  vma->prot | (writes ? PROT_WRITE : 0), flags, fd, vma->offset);
	if (fd >= 0)
		(void)HP_ASK(&to->leader, SYS_close, fd);
	return !is_error(got) || failed(to, "mapping", vma->start, got);
}

static bool write_content(struct hp_restored *to, const struct hp_image_run *run)
{
	for (uint64_t done = 0; done < run->bytes;) {
		uint64_t bytes = run->bytes - done < PIECE ? run->bytes - done : PIECE;
		uint8_t *content = (uint8_t *)to->image->pages + run->pages + done;
		struct iovec ours = { content, bytes }, theirs = { (void *)(run->at + done), bytes };
		ssize_t got = process_vm_writev(to->leader.tid, &ours, 1, &theirs, 1, 0);
		if (got <= 0)
			return failed(to, "writing content", run->at + done, -errno);
		if (bytes == PIECE)
			(void)madvise((void *)((uintptr_t)content & ~(HP_IMAGE_PAGE - 1ul)), PIECE, MADV_DONTNEED);
		done += (uint64_t)got;
	}
	return true;
}

enum when { AT_ONCE, LAZY };

static bool write_contents(struct hp_restored *to, enum when when)
{
	HP_EACH(to->image, hp_image_run, HP_R_RUN, run)
	if (run->object == 0 && run->pid == to->process->pid && hp_lazy_is(run) == (when == LAZY) &&
	    !write_content(to, run))
		return false;
	return true;
}

/* What cannot be written yet: the kernel's own pages, and the loader's text, were never mapped by us. */
static bool make_writable(struct hp_restored *to, const struct hp_image_vma *vma, bool now)
{
	bool read_only = !vma->shared && !(vma->prot & PROT_WRITE);
	if (!read_only || !content_of(to, vma))
		return true;
	/* the rest of map() has given it; these two never went through it */
	if (now && vma->kind != HP_V_KERNEL && !is_loader_text(to, vma))
		return true;
	long got = HP_ASK(&to->leader, SYS_mprotect, vma->start, vma->end - vma->start,
			  now ? vma->prot | PROT_WRITE : vma->prot);
	return !is_error(got) || failed(to, "protecting", vma->start, got);
}

static bool set_layout(struct hp_restored *to)
{
	const struct hp_image_process *process = to->process;
	struct hp_kernel_mm_map layout;
	uint64_t at = to->leader.scratch;
	memcpy(layout.mm, process->mm, sizeof layout.mm);
	layout.auxv = at + sizeof layout;
	layout.auxv_size = process->auxv_bytes;
	layout.exe_fd = ~0u;
	if (hp_remote_write(to->leader.tid, at, &layout, sizeof layout) ||
	    hp_remote_write(to->leader.tid, layout.auxv, process + 1, process->auxv_bytes))
		return failed(to, "writing the layout", at, -EFAULT);
	long got = HP_ASK(&to->leader, SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, at, sizeof layout);
	return got == 0 || failed(to, "setting the layout", process->mm[0], got);
}

static bool install_guards(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_guard, HP_R_GUARD, guard)
	{
		long got = guard->pid != to->process->pid ? 0 :
							    HP_ASK(&to->leader, SYS_madvise, guard->start,
								   guard->end - guard->start, HP_MADV_GUARD_INSTALL);
		if (is_error(got))
			return failed(to, "guard pages, which this kernel may not have,", guard->start, got);
	}
	return true;
}

bool hp_restore_memory(struct hp_restored *to)
{
	pid_t pid = to->process->pid;
	if (!clear(to) || !hp_restore_attached(to))
		return false;
	HP_EACH(to->image, hp_image_vma, HP_R_VMA, vma)
	if (vma->pid == pid && (!map(to, vma) || !make_writable(to, vma, true)))
		return false;
	if (!write_contents(to, AT_ONCE) || (!hp_lazy_begin(to) && !write_contents(to, LAZY)) || !install_guards(to))
		return false;
	HP_EACH(to->image, hp_image_vma, HP_R_VMA, vma)
	if (vma->pid == pid && (!make_writable(to, vma, false) || !advise(to, vma)))
		return false;
	return set_layout(to);
}

bool hp_restore_seals(struct hp_restored *to)
{
	HP_EACH(to->image, hp_image_object, HP_R_OBJECT, object)
	{
		bool has_seals = object->kind == HP_O_MEMORY && object->seals &&
				 !to->image->index[object->id].has_name && !hp_scratch_of(hp_image_path(object));
		long error = has_seals ? HP_ASK(&to->leader, SYS_fcntl, hp_fd_of_object(to->image, object->id),
						F_ADD_SEALS, object->seals) :
					 0;
		if (error)
			return failed(to, "seals of a memory file", 0, error);
	}
	return true;
}
