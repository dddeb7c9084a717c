/* Memory: a file's blocks must be there before it is mapped, what is written
 * through a shared mapping must reach home, the shim's own pages stay. */
#include <linux/mman.h>

#include "core.h"

/* Some file is mapped shared and writable: msync has something to send. */
static bool shared_mapped;

long hp_call_mmap(struct hp_call *call)
{
	struct hp_file *file;
	struct hp_ask ask = { .op = HP_REQ_MAP };
	long prot = call->arg[2], flags = call->arg[3];
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE, writable;
	int64_t answer;

	if (flags & MAP_FIXED && hp_is_shim_range((unsigned long)call->arg[0], (unsigned long)call->arg[1]))
		return -ENOMEM;
	if (flags & MAP_ANONYMOUS || (file = hp_fd_file((int)call->arg[4])) == NULL)
		return HP_PASS;
	/* a descriptor open for writing may be made writable later, by mprotect */
	writable = shared && (prot & PROT_WRITE || (hp_syscall3(__NR_fcntl, call->arg[4], F_GETFL, 0) & 3) == 2);
	ask.base = file->inode;
	ask.arg[0] = call->arg[5];
	ask.arg[1] = (call->arg[1] + 4095) & ~4095l; /* the starter adds what mremap could reach */
	ask.arg[2] = writable;
	answer = hp_ask(&ask);
	if (answer < 0)
		return (long)answer;
	if (writable)
		shared_mapped = true;
	return HP_PASS;
}

static long unless_ours(const struct hp_call *call)
{
	bool aligned = !(call->arg[0] & 4095); /* else the kernel refuses */

	return aligned && hp_is_shim_range((unsigned long)call->arg[0], (unsigned long)call->arg[1]) ? -EINVAL :
												       HP_PASS;
}

long hp_call_munmap(struct hp_call *call)
{
	return unless_ours(call);
}

long hp_call_mprotect(struct hp_call *call)
{
	return unless_ours(call) == HP_PASS ? HP_PASS : -EACCES;
}

long hp_call_pkey_mprotect(struct hp_call *call)
{
	return hp_call_mprotect(call);
}

long hp_call_mremap(struct hp_call *call)
{
	hp_gate_pass(); /* who moves or lengthens memory that still follows would overtake what is told of it */
	if (unless_ours(call) != HP_PASS)
		return -EFAULT;
	if (call->arg[3] & MREMAP_FIXED && hp_is_shim_range((unsigned long)call->arg[4], (unsigned long)call->arg[2]))
		return -EINVAL;
	return HP_PASS;
}

long hp_call_msync(struct hp_call *call)
{
	struct hp_ask ask = { .op = HP_REQ_SYNC };
	long result = hp_syscall3(__NR_msync, call->arg[0], call->arg[1], call->arg[2]);
	int64_t answer;

	if (result || !hp_channel || !shared_mapped || !(call->arg[2] & MS_SYNC))
		return result;
	answer = hp_ask(&ask);
	return answer < 0 ? (long)answer : 0;
}
