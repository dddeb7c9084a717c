/* Rarely used parts of the kernel, where its holes have been: closed, not merely unprivileged. */
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/time.h>
#include <sys/timex.h>
#include "attack.h"

int main(void)
{
	char bytes[256] = "";
	union bpf_attr program = { 0 };
	struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(perf), .exclude_kernel = 1 };
	MUST_FAIL(syscall(SYS_io_uring_setup, 8, bytes));
	MUST_FAIL(syscall(SYS_io_setup, 8, bytes));
	MUST_FAIL(syscall(SYS_bpf, BPF_MAP_CREATE, &program, sizeof(program)));
	MUST_FAIL(syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0));
	MUST_FAIL(syscall(SYS_userfaultfd, O_CLOEXEC));
	MUST_FAIL(syscall(SYS_add_key, "user", "x", "y", 1, -3));
	MUST_FAIL(syscall(SYS_keyctl, 0, -3, 1));
	MUST_FAIL(syscall(SYS_request_key, "user", "x", NULL, 0));
	MUST_FAIL(syscall(SYS_init_module, bytes, 0, ""));
	MUST_FAIL(syscall(SYS_finit_module, 0, "", 0));
	MUST_FAIL(syscall(SYS_delete_module, "x", 0));
	MUST_FAIL(syscall(SYS_kexec_load, 0, 0, NULL, 0));
	MUST_FAIL(reboot(RB_DISABLE_CAD));
	MUST_FAIL(swapon("/tmp/x", 0));
	MUST_FAIL(swapoff("/tmp/x"));
	MUST_FAIL(acct("/tmp/x"));
	MUST_FAIL(klogctl(3, bytes, sizeof(bytes)));
	MUST_FAIL(settimeofday(&(struct timeval){ 1, 0 }, NULL));
	MUST_FAIL(adjtimex(&(struct timex){ .modes = ADJ_OFFSET }));
	MUST_FAIL(syscall(SYS_quotactl, 0x800001, NULL, 0, NULL));
	MUST_FAIL(syscall(SYS_iopl, 3));
	MUST_FAIL(syscall(SYS_ioperm, 0, 1, 1));
	MUST_FAIL(syscall(SYS_open_by_handle_at, AT_FDCWD, bytes, 0));
	MUST_FAIL(syscall(SYS_fanotify_init, 0, 0));
	MUST_FAIL(syscall(SYS_lookup_dcookie, 0, bytes, 1));
	MUST_FAIL(syscall(SYS_nfsservctl, 0));
	MUST_FAIL(syscall(SYS_vhangup));
	MUST_FAIL(ioctl(0, TIOCSTI, "x"));
	static const int families[] = { AF_VSOCK, AF_PACKET, AF_ALG, AF_BLUETOOTH, AF_CAN, AF_TIPC,
					AF_XDP,   AF_KEY,    AF_RDS, AF_PPPOX,     AF_X25 };
	for (unsigned i = 0; i < sizeof(families) / sizeof(*families); i++)
		for (int type = SOCK_STREAM; type <= SOCK_RAW; type++) {
			int fd = socket(families[i], type, 0);
			if (fd >= 0)
				BROKE("socket family %d type %d", families[i], type);
			else if (type == SOCK_RAW)
				HELD("family %d: %s", families[i], strerrorname_np(errno));
		}
	/* Interfaces and addresses of its own namespace a job may ask for: libraries do. */
	for (int protocol = 1; protocol < 23; protocol++)
		if (socket(AF_NETLINK, SOCK_RAW, protocol) >= 0)
			BROKE("netlink protocol %d", protocol);
	MUST_FAIL(socket(AF_INET, SOCK_RAW, 1));
	MUST_FAIL(socket(AF_INET6, SOCK_RAW, 58));
	return 0;
}
