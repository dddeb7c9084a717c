/* Attacks on the jail from inside: one line "name result" each, where result is
 * "ok" or the errno's name. Static, raw system calls: no shim in the way.
 * Only ever runs in a jail; it refuses where PID 1 is not a keeper.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result)
{
	printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "ok");
}

static void raw(const char *name, long number, long a, long b, long c, long d)
{
	say(name, syscall(number, a, b, c, d, 0, 0));
}

static void say_negative(const char *name, long result)
{
	errno = (int)-result;
	say(name, result < 0 ? -1 : 0);
}

static void namespaces(void)
{
	static const struct {
		const char *name;
		int flag;
	} kinds[] = {
		{ "user", CLONE_NEWUSER },     { "mount", CLONE_NEWNS }, { "pid", CLONE_NEWPID },
		{ "net", CLONE_NEWNET },       { "ipc", CLONE_NEWIPC },  { "uts", CLONE_NEWUTS },
		{ "cgroup", CLONE_NEWCGROUP },
	};
	char name[32];
	for (unsigned n = 0; n < sizeof kinds / sizeof *kinds; n++) {
		snprintf(name, sizeof name, "unshare-%s", kinds[n].name);
		say(name, unshare(kinds[n].flag));
		long child = syscall(SYS_clone, kinds[n].flag | SIGCHLD, 0, 0, 0, 0);
		if (child == 0)
			_exit(0);
		snprintf(name, sizeof name, "clone-%s", kinds[n].name);
		say(name, child);
		uint64_t arguments[11] = { (uint64_t)kinds[n].flag, 0, 0, 0, SIGCHLD };
		child = syscall(SYS_clone3, arguments, sizeof arguments);
		if (child == 0)
			_exit(0);
		snprintf(name, sizeof name, "clone3-%s", kinds[n].name);
		say(name, child);
	}
	uint64_t plain[11] = { 0, 0, 0, 0, SIGCHLD };
	long child = syscall(SYS_clone3, plain, sizeof plain);
	if (child == 0)
		_exit(0);
	say("clone3-plain", child);
	say("unshare-files", unshare(CLONE_FILES));
	int fd = open("/proc/self/ns/net", O_RDONLY);
	say("setns", setns(fd, 0));
}

static void keeper(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)0x400000, 1 };
	say("seize-init", ptrace(PTRACE_SEIZE, 1, 0, 0));
	say("attach-init", ptrace(PTRACE_ATTACH, 1, 0, 0));
	say("read-init", process_vm_readv(1, &here, 1, &there, 1, 0));
	say("see-init", open("/proc/1/status", O_RDONLY));
	say("mem-init", open("/proc/1/mem", O_RDWR));
	int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
	raw("steal-from-init", SYS_pidfd_getfd, pidfd, 3, 0, 0);
	kill(1, SIGKILL);
	kill(1, SIGTERM);
	kill(1, SIGCHLD);
	say("init-survives", kill(1, 0) == 0 || errno == EPERM ? 0 : -1);
}

static void files(void)
{
	say("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	say("remount", mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
	say("umount", umount2("/proc/sys", MNT_DETACH));
	say("umount-mask", umount2("/proc/kallsyms", MNT_DETACH));
	say("chroot", chroot("/tmp"));
	raw("pivot_root", SYS_pivot_root, (long)"/tmp", (long)"/tmp", 0, 0);
	raw("open_tree", SYS_open_tree, AT_FDCWD, (long)"/", 1, 0);
	raw("fsopen", SYS_fsopen, (long)"tmpfs", 0, 0, 0);
	raw("mount_setattr", SYS_mount_setattr, AT_FDCWD, (long)"/proc/sys", 0, 0);
	say("mknod-disk", mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0)));
	say("mknod-mem", mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)));
	say("make-in-dev", open("/dev/mine", O_CREAT | O_WRONLY, 0600));
	say("make-in-shm", open("/dev/shm/mine", O_CREAT | O_WRONLY, 0600));
	say("make-in-sys", open("/sys/mine", O_CREAT | O_WRONLY, 0600));
	say("write-sysctl", open("/proc/sys/net/ipv4/ip_forward", O_WRONLY));
	say("write-hostname", open("/proc/sys/kernel/hostname", O_WRONLY));
	say("write-namespaces", open("/proc/sys/user/max_user_namespaces", O_WRONLY));
	struct stat trigger; /* covered by a device, or not there */
	say("sysrq-covered", stat("/proc/sysrq-trigger", &trigger) == 0 && S_ISREG(trigger.st_mode) ? -1 : 0);
	struct {
		unsigned bytes;
		int type;
		char room[128];
	} handle = { 128, 0, "" };
	int mount_id;
	raw("name_to_handle_at", SYS_name_to_handle_at, AT_FDCWD, (long)"/", (long)&handle, (long)&mount_id);
	raw("open_by_handle_at", SYS_open_by_handle_at, AT_FDCWD, (long)&handle, O_RDONLY, 0);
}

static void sockets(void)
{
	say("socket-vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
	say("socket-packet", socket(AF_PACKET, SOCK_RAW, 0));
	say("socket-alg", socket(38, SOCK_SEQPACKET, 0));
	say("socket-bluetooth", socket(31, SOCK_RAW, 1));
	say("socket-audit", socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
	say("socket-netfilter", socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
	say("socket-uevent", socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	say("socket-route", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	say("socket-raw", socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
	say("socket-sctp", socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP));
	say("socket-unix", socket(AF_UNIX, SOCK_STREAM, 0));
	say("socket-inet6", socket(AF_INET6, SOCK_DGRAM, 0));
	/* An upper half the kernel ignores must not get past the filter. */
	raw("socket-vsock-high", SYS_socket, (1l << 32) | AF_VSOCK, SOCK_STREAM, 0, 0);
	int pair[2];
	raw("socketpair-unix", SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (long)pair);
	raw("socketpair-tipc", SYS_socketpair, 30, SOCK_STREAM, 0, (long)pair);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof at;
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	say("loopback-listen", bind(server, (struct sockaddr *)&at, size) || listen(server, 1) ||
					       getsockname(server, (struct sockaddr *)&at, &size) ?
				       -1 :
				       0);
	say("loopback-connect", connect(client, (struct sockaddr *)&at, size));
	char byte = 0;
	say("loopback-talk",
	    write(client, "x", 1) == 1 && read(accept(server, NULL, NULL), &byte, 1) == 1 && byte == 'x' ? 0 : -1);
	at.sin_addr.s_addr = htonl(0x01010101);
	say("outside", connect(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&at, size));
}

static long int80(long number)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void kernel(void)
{
	char room[128];
	memset(room, 0, sizeof room);
	raw("io_uring_setup", 425, 8, (long)room, 0, 0);
	raw("bpf", SYS_bpf, 0, (long)room, sizeof room, 0);
	raw("perf_event_open", SYS_perf_event_open, (long)room, 0, -1, -1);
	raw("keyctl", SYS_keyctl, 0, -3, 0, 0);
	raw("add_key", SYS_add_key, (long)"user", (long)"a", (long)"b", 1);
	raw("userfaultfd-kernel", SYS_userfaultfd, 0, 0, 0, 0);
	raw("userfaultfd-own", SYS_userfaultfd, 1, 0, 0, 0);
	raw("swapon", SYS_swapon, (long)"/tmp", 0, 0, 0);
	raw("reboot", SYS_reboot, 0, 0, 0, 0);
	raw("syslog", SYS_syslog, 3, (long)room, sizeof room, 0);
	raw("init_module", SYS_init_module, 0, 0, 0, 0);
	raw("kexec_load", SYS_kexec_load, 0, 0, 0, 0);
	raw("iopl", SYS_iopl, 3, 0, 0, 0);
	raw("sethostname", SYS_sethostname, (long)"x", 1, 0, 0);
	raw("clock_settime", SYS_clock_settime, 0, (long)room, 0, 0);
	raw("unknown-call", 9999, 0, 0, 0, 0);
	raw("x32-getpid", 0x40000000 | SYS_getpid, 0, 0, 0, 0);
	say_negative("int80-getpid", int80(20));
	raw("tiocsti", SYS_ioctl, 0, TIOCSTI, (long)room, 0);
	raw("tiocsti-high", SYS_ioctl, 0, (1l << 32) | TIOCSTI, (long)room, 0);
	raw("tiocsetd", SYS_ioctl, 0, TIOCSETD, (long)room, 0);
	say("personality-query", personality(0xffffffff));
	say("personality-no-aslr", personality(ADDR_NO_RANDOMIZE));
	say("personality-page-zero", personality(MMAP_PAGE_ZERO));
	say("personality-exec", personality(READ_IMPLIES_EXEC));
	struct sched_param real_time = { .sched_priority = 1 };
	say("real-time", sched_setscheduler(0, SCHED_FIFO, &real_time));
	say("nicer", setpriority(PRIO_PROCESS, 0, -5));
	say("more-files", setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 1u << 30, 1u << 30 }));
	say("capability-back", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0));
	say("child-ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static void bomb(void)
{
	for (;;)
		if (fork() < 0)
			usleep(1000);
}

/* Memory that all of them map and touch. */
static void share(size_t megabytes, int processes)
{
	char *shared = mmap(NULL, megabytes << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	while (--processes > 0 && fork() > 0)
		;
	memset(shared, 1, megabytes << 20);
	usleep(900000);
	_exit(0);
}

/* An abstract socket of the machine, reachable over its network namespace. */
static void abstract(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	strncpy(at.sun_path + 1, name, sizeof at.sun_path - 2);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	say("connect", connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&at, size));
	at.sun_path[1] ^= 1;
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	say("own", bind(server, (struct sockaddr *)&at, size) || listen(server, 1) ||
				   connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&at, size) ?
			   -1 :
			   0);
	exit(0);
}

static volatile int caught_count;

static void caught(int number)
{
	(void)number;
	caught_count++;
}

/* Its parent is PID 1, which is nobody's debugger: signals and an exec go on as if nobody traced it. */
static int traced_by_the_keeper(char **argv)
{
	if (argv[2])
		return 9;
	signal(SIGUSR1, caught);
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) || raise(SIGUSR1) || caught_count != 1)
		return 1;
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return 2;
	execl("/bin/probe", argv[0], argv[1], "again", NULL);
	return 3;
}

int main(int argc, char **argv)
{
	char name[32] = "";
	if (getpid() == 1 || readlink("/proc/1/exe", name, sizeof name) >= 0 || access("/.hpool/loader", F_OK)) {
		fputs("not in a jail: nothing is tried here\n", stderr);
		return 125;
	}
	if (argc > 1 && !strcmp(argv[1], "traceme"))
		return traced_by_the_keeper(argv);
	if (argc > 1 && !strcmp(argv[1], "bomb"))
		bomb();
	if (argc > 2 && !strcmp(argv[1], "abstract"))
		abstract(argv[2]);
	if (argc > 3 && !strcmp(argv[1], "share"))
		share(strtoul(argv[2], NULL, 10), atoi(argv[3]));
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGCHLD, SIG_IGN);
	namespaces();
	keeper();
	files();
	sockets();
	kernel();
	return 0;
}
