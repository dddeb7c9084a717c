/* The job's world: everything PID 1 arranges before the job is born.
 *
 * Owns: the order. Leaves to others: each part (cgroup.c, watch.c, mounts.c,
 * confine.c). Whatever cannot be had is either reported as missing, where the
 * job is still confined without it, or ends the attempt.
 */
#include "keeper.h"
#include "../checkpoint/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void raise_loopback(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	HP_AUTO_CLOSE int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = socket_ >= 0 && ioctl(socket_, SIOCSIFFLAGS, &loopback) == 0;
	hp_protection("loopback", up, up ? NULL : strerrorname_np(errno));
}

static void open_terminal(struct hp_tty *tty, const struct hp_spec *spec)
{
	int unlocked = 0;
	struct winsize size = { .ws_row = spec->rows, .ws_col = spec->columns };
	*tty = (struct hp_tty){ -1, -1 };
	if (!spec->tty)
		return;
	tty->master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty->master < 0 || ioctl(tty->master, TIOCSPTLCK, &unlocked) || ioctl(tty->master, TIOCSWINSZ, &size))
		hp_die(errno, "opening the terminal");
	/* O_CLOEXEC here would stay with the description: F_GETFL and fdinfo tell it of all its descriptors. */
	tty->slave = ioctl(tty->master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (tty->slave < 0 || fcntl(tty->slave, F_SETFD, FD_CLOEXEC))
		hp_die(errno, "opening the terminal");
	if (dup3(tty->master, HP_KEPT_TERMINAL, O_CLOEXEC) < 0)
		hp_die(errno, "opening the terminal");
	hp_control_send_tty(tty->master);
}

/* A core piped to a program of the machine would leave the job's memory there.
 * One byte is the kernel's own way to say never (core(5)). */
static void forbid_piped_cores(void)
{
	char pattern = 0;
	HP_AUTO_CLOSE int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
	struct rlimit one = { 1, 1 };
	if (fd >= 0 && read(fd, &pattern, 1) == 1 && (pattern == '|' || pattern == '@'))
		setrlimit(RLIMIT_CORE, &one);
}

static void bound_processes(const struct hp_init *init)
{
	uint64_t most = init->spec->max_processes;
	if (most == 0) {
		hp_protection("processes", false, "not-asked");
		return;
	}
	if (init->cgroup->processes) {
		hp_protection("processes", true, "cgroup");
		return;
	}
	/* Counted per user and user namespace, threads included: the starter's too. */
	struct rlimit limit;
	getrlimit(RLIMIT_NPROC, &limit);
	if (limit.rlim_max > most + init->others)
		limit.rlim_max = most + init->others;
	limit.rlim_cur = limit.rlim_max;
	bool bounded = setrlimit(RLIMIT_NPROC, &limit) == 0;
	hp_protection("processes", bounded, "rlimit");
}

/* A process of real-time priority starves the machine's owner. */
static void forbid_real_time(void)
{
	struct rlimit none = { 0, 0 };
	bool kept = setrlimit(RLIMIT_RTPRIO, &none) == 0 && setrlimit(RLIMIT_NICE, &none) == 0;
	hp_protection("no_real_time", kept, kept ? NULL : strerrorname_np(errno));
}

/* Before the mounts: a second proc file system is refused where the first one's
 * entries are covered. */
static void bound_memory(struct hp_watch *watch, const struct hp_init *init)
{
	uint64_t most = init->spec->memory_bytes;
	hp_watch_open(watch, init->cgroup->memory ? 0 : most, init->mirror_bytes);
	if (init->cgroup->memory)
		hp_protection("memory", true, "cgroup");
	else if (watch->proc >= 0)
		hp_protection("memory", true, "watched");
	else
		hp_protection("memory", false, most ? "no-cgroup-and-no-proc" : "not-asked");
}

void hp_world_build(const struct hp_init *init, struct hp_tty *tty, struct hp_watch *watch, int *summons,
		    struct hp_restoring *restoring)
{
	if (hp_cgroup_join(init->cgroup))
		hp_die(errno, "joining the control group");
	bool own_groups = unshare(CLONE_NEWCGROUP) == 0;
	hp_protection("cgroup_namespace", own_groups, own_groups ? NULL : strerrorname_np(errno));
	if (init->spec->hostname && sethostname(init->spec->hostname, strlen(init->spec->hostname)))
		hp_die(errno, "setting the host name");
	if (setdomainname("(none)", 6)) /* the machine's is not the job's business */
		hp_die(errno, "setting the domain name");
	if (init->spec->network_host)
		hp_protection("network", false, "host-asked");
	else
		hp_protection("network", true, NULL), raise_loopback();
	bool closed = hp_close_user_namespaces();
	hp_protection("no_user_namespaces", closed, closed ? NULL : "proc-sys-is-read-only");
	forbid_piped_cores();
	forbid_real_time();
	bound_processes(init);
	bound_memory(watch, init);
	if (init->spec->restore[0] >= 0)
		hp_restore_prepare(init->spec->restore[0], init->spec->restore[1]);
	hp_mounts_build(init);
	*summons = -1;
	if (init->spec->front != HP_FRONT_SHIM)
		*summons = hp_summons_open();
	if (*summons < 0 && init->spec->front == HP_FRONT_TRACE)
		hp_die(-*summons, "opening the way to the tracer");
	open_terminal(tty, init->spec);
	*restoring = (struct hp_restoring){ .status = -1 };
	static struct hp_faults faults; /* the restorer's and the maker's too */
	faults = (struct hp_faults){ init->spec->faults, init->spec->lazy_bytes, { init->hold[0], init->hold[1] } };
	if (init->spec->restore[0] >= 0)
		restoring->restorer = hp_restore_start(&faults, &restoring->status);
	hp_confine(closed);
	hp_control_send_protections();
}
