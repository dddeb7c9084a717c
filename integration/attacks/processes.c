/* PID 1 of the job's world and everything outside it: no tracing, no memory, no signals, no descriptors. */
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include "attack.h"

int main(void)
{
	char bytes[64];
	struct iovec here = { bytes, sizeof(bytes) }, there = { (void *)0x400000, sizeof(bytes) };
	MUST_FAIL(ptrace(PTRACE_ATTACH, 1, 0, 0));
	MUST_FAIL(ptrace(PTRACE_SEIZE, 1, 0, 0));
	MUST_FAIL(process_vm_readv(1, &here, 1, &there, 1, 0));
	MUST_FAIL(process_vm_writev(1, &here, 1, &there, 1, 0));
	MUST_FAIL(open("/proc/1/mem", O_RDWR));
	MUST_FAIL(open("/proc/1/environ", O_RDONLY));
	MUST_FAIL(readlink("/proc/1/exe", bytes, sizeof(bytes)));
	MUST_FAIL(syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, 1, 0), 0, 0));
	MUST_FAIL(syscall(SYS_kcmp, getpid(), 1, 0, 0, 0));
	MUST_FAIL(syscall(SYS_get_robust_list, 1, bytes, bytes + 8));
	MUST_FAIL(syscall(SYS_migrate_pages, 1, 0, NULL, NULL));
	static const int deadly[] = { SIGKILL, SIGTERM, SIGSTOP, SIGSEGV, SIGINT, SIGUSR1, SIGHUP };
	for (unsigned i = 0; i < sizeof(deadly) / sizeof(*deadly); i++)
		kill(1, deadly[i]);
	usleep(50000);
	HELD("still here after signals to PID 1");
	if (getppid() != 1 && getppid() != 0)
		printf("parent %d\n", getppid());
	struct sched_param urgent = { .sched_priority = 50 };
	MUST_FAIL(sched_setscheduler(0, SCHED_FIFO, &urgent));
	errno = 0;
	if (nice(-5) >= 0 || errno == 0)
		BROKE("a nicer priority than given");
	else
		HELD("nice(-5): %s", strerrorname_np(errno));
	IN_CHILD("kill everybody", {
		signal(SIGTERM, SIG_IGN);
		kill(-1, SIGTERM);
	});
	return 0;
}
