/* The seccomp filter: what no job needs and every attack wants.
 *
 * Allow by default: programs are unmodified, and an unknown refusal is a riddle
 * to them. Refused is what reaches around the shim, the namespaces or the
 * kernel's less travelled code. Calls decided by number alone are answered
 * from the kernel's per-filter bitmap (5.11), so their place here costs nothing;
 * those with an argument check stand first.
 */
#include "keeper.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NEWEST_CALL 469 /* file_setattr: a call nobody here has read about is refused */
#define FIRST_DENIED 101 /* ptrace: the common calls lie below, see the table */
#define ROOM 256

/* The low half: what is compared below is an int or unsigned int to the kernel,
 * which ignores the upper half. */
#define ARGUMENT(n) ((unsigned)(offsetof(struct seccomp_data, args) + 8 * (n)))
#define NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define CLONE_NEWTIME_ 0x80 /* within CSIGNAL for clone */
#define APART \
	(CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM) /* what else unshare takes */
#define USER_MODE_ONLY 1 /* userfaultfd: faults of the kernel itself are not delivered */
/* Most change nothing on x86-64; page 0 is the kernel's to refuse. Not READ_IMPLIES_EXEC: what is read as data
 * would be code that nobody has looked at. */
#define PERSONAS \
	(PER_MASK | UNAME26 | ADDR_NO_RANDOMIZE | MMAP_PAGE_ZERO | ADDR_COMPAT_LAYOUT | ADDR_LIMIT_32BIT | \
	 SHORT_INODE | WHOLE_SECONDS | STICKY_TIMEOUTS | ADDR_LIMIT_3GB)

struct program {
	struct sock_filter code[ROOM];
	unsigned short length;
};

static void emit(struct program *to, unsigned short code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	to->code[to->length++] = (struct sock_filter){ code, if_true, if_false, k };
}

static void load(struct program *to, unsigned offset)
{
	emit(to, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void answer(struct program *to, int error)
{
	emit(to, BPF_RET | BPF_K, error ? SECCOMP_RET_ERRNO | (uint32_t)error : SECCOMP_RET_ALLOW, 0, 0);
}

/* If the accumulator is `value`, answers. */
static void answer_if(struct program *to, uint32_t value, int error)
{
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	answer(to, error);
}

/* Opens the block of one call; every path through it must answer, and
 * close_block() says how far to jump for the others. */
static unsigned short open_block(struct program *to, uint32_t call)
{
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 0);
	return to->length;
}

static void close_block(struct program *to, unsigned short start)
{
	to->code[start - 1].jf = (uint8_t)(to->length - start);
}

/* If any of `bits` is set in the accumulator, answers. */
static void answer_any(struct program *to, uint32_t bits, int error)
{
	emit(to, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
	answer(to, error);
}

/* What is wrong with the flags comes before what is forbidden, as natively. */
static void refuse_namespaces(struct program *to, uint32_t call)
{
	unsigned short block = open_block(to, call);

	load(to, ARGUMENT(0));
	if (call == SYS_unshare) {
		answer_any(to, ~(uint32_t)(APART | NAMESPACES | CLONE_NEWTIME_), EINVAL);
		answer_any(to, NAMESPACES | CLONE_NEWTIME_, EPERM);
	} else {
		emit(to, BPF_JMP | BPF_JSET | BPF_K, CLONE_FS, 0, 2);
		answer_any(to, CLONE_NEWNS | CLONE_NEWUSER, EINVAL);
		answer_any(to, NAMESPACES, EPERM);
	}
	answer(to, 0);
	close_block(to, block);
}

static void refuse_ioctls(struct program *to)
{
	unsigned short block = open_block(to, SYS_ioctl);
	load(to, ARGUMENT(1));
	answer_if(to, TIOCSTI, EPERM);
	answer_if(to, 0x541C /* TIOCLINUX */, EPERM);
	answer_if(to, TIOCSETD, EPERM); /* line disciplines: modules nobody looks after */
	answer(to, 0);
	close_block(to, block);
}

/* Namespaces do not confine AF_VSOCK and netlink's many families; other
 * families and protocols load kernel modules on demand. */
static void refuse_sockets(struct program *to)
{
	static const uint32_t protocols[] = { 0,  6 /* TCP */, 17 /* UDP */, 1 /* ICMP */, 58 /* ICMPv6 */,
					      136 /* UDP-Lite */ };
	unsigned short block = open_block(to, SYS_socket);
	load(to, ARGUMENT(0));
	answer_if(to, AF_UNIX, 0);
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 4);
	load(to, ARGUMENT(2));
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, NETLINK_ROUTE, 0, 1);
	answer(to, 0);
	answer(to, EPROTONOSUPPORT);
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
	emit(to, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
	answer(to, EAFNOSUPPORT);
	load(to, ARGUMENT(2));
	for (unsigned n = 0; n < sizeof protocols / sizeof *protocols; n++)
		answer_if(to, protocols[n], 0);
	answer(to, EPROTONOSUPPORT);
	close_block(to, block);

	block = open_block(to, SYS_socketpair);
	load(to, ARGUMENT(0));
	answer_if(to, AF_UNIX, 0);
	answer(to, EAFNOSUPPORT);
	close_block(to, block);
}

static void refuse_personas(struct program *to)
{
	unsigned short block = open_block(to, SYS_personality);
	load(to, ARGUMENT(0));
	answer_if(to, 0xffffffff, 0); /* a question */
	answer_any(to, ~(uint32_t)PERSONAS, EPERM);
	answer(to, 0);
	close_block(to, block);
}

static void allow_own_userfaults(struct program *to)
{
	unsigned short block = open_block(to, SYS_userfaultfd);
	load(to, ARGUMENT(0));
	emit(to, BPF_JMP | BPF_JSET | BPF_K, USER_MODE_ONLY, 1, 0);
	answer(to, EPERM);
	answer(to, 0);
	close_block(to, block);
}

static const struct {
	short call, error;
} denied[] = {
	/* around the shim, or the kernel's own attack surface */
	{ 425, ENOSYS },
	{ 426, ENOSYS },
	{ 427, ENOSYS }, /* io_uring_setup, _enter, _register: libraries fall back */
	{ SYS_bpf, EPERM },
	{ SYS_perf_event_open, EPERM },
	{ SYS_add_key, ENOSYS },
	{ SYS_request_key, ENOSYS },
	{ SYS_keyctl, ENOSYS }, /* the starter's keyrings are inherited */
	{ SYS_open_by_handle_at, EPERM },
	/* the job's view */
	{ SYS_mount, EPERM },
	{ SYS_umount2, EPERM },
	{ SYS_pivot_root, EPERM },
	{ SYS_chroot, EPERM },
	{ SYS_setns, EPERM },
	{ 428, EPERM },
	{ 429, EPERM },
	{ 430, EPERM },
	{ 431, EPERM },
	{ 432, EPERM },
	{ 433, EPERM }, /* open_tree ... fspick */
	{ 442, EPERM },
	{ 467, EPERM }, /* mount_setattr, open_tree_attr */
	{ SYS_sethostname, EPERM },
	{ SYS_setdomainname, EPERM },
	/* the machine: capabilities forbid these too */
	{ SYS_swapon, EPERM },
	{ SYS_swapoff, EPERM },
	{ SYS_reboot, EPERM },
	{ SYS_acct, EPERM },
	{ SYS_syslog, EPERM },
	{ SYS_quotactl, EPERM },
	{ 443 /* quotactl_fd */, EPERM },
	{ SYS_iopl, EPERM },
	{ SYS_ioperm, EPERM },
	{ SYS_init_module, EPERM },
	{ SYS_finit_module, EPERM },
	{ SYS_delete_module, EPERM },
	{ SYS_kexec_load, EPERM },
	{ SYS_kexec_file_load, EPERM },
	{ SYS_settimeofday, EPERM },
	{ SYS_clock_settime, EPERM },
	{ SYS_vhangup, EPERM },
	{ SYS_uselib, ENOSYS },
	{ SYS_lookup_dcookie, ENOSYS },
	{ SYS_nfsservctl, ENOSYS },
};

int hp_filter_install(bool allow_clone3)
{
	struct program filter = { .length = 0 };
	load(&filter, offsetof(struct seccomp_data, arch));
	emit(&filter, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	answer(&filter, ENOSYS); /* int 0x80: its numbers are others, so nothing below would hold */
	load(&filter, offsetof(struct seccomp_data, nr));
	emit(&filter, BPF_JMP | BPF_JGT | BPF_K, NEWEST_CALL, 0, 1);
	answer(&filter, ENOSYS); /* x32 too: its numbers have bit 30 */
	refuse_ioctls(&filter);
	refuse_sockets(&filter);
	refuse_namespaces(&filter, SYS_clone);
	emit(&filter, BPF_JMP | BPF_JGE | BPF_K, FIRST_DENIED, 1, 0);
	answer(&filter, 0);
	refuse_personas(&filter);
	refuse_namespaces(&filter, SYS_unshare);
	allow_own_userfaults(&filter);
	if (!allow_clone3)
		answer_if(&filter, SYS_clone3, ENOSYS);
	for (unsigned n = 0; n < sizeof denied / sizeof *denied; n++)
		answer_if(&filter, (uint32_t)denied[n].call, denied[n].error);
	answer(&filter, 0);

	struct sock_fprog program = { filter.length, filter.code };
	/* SPEC_ALLOW: the job has no secret of ours in its address space, and
	 * without it kernels before 5.16 slow every load behind a store. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) ? -errno : 0;
}
