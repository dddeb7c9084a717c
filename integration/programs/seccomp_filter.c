/* Seccomp filters of the program's own: errno, trap, kill, over fork and exec, for one thread and for all. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "say.h"

static volatile int trapped_nr, trapped_errno, trapped_code;

static long filter_out(unsigned nr, unsigned action, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	trapped_nr = info->si_syscall;
	trapped_errno = info->si_errno;
	trapped_code = info->si_code;
}

static const char *outcome(long result)
{
	return result < 0 ? strerror(errno) : "works";
}

static void *look(void *want)
{
	static __thread struct stat st;
	const char *said = outcome(syscall(SYS_newfstatat, AT_FDCWD, "small.txt", &st, 0));
	return (void *)(long)(strcmp(said, want) == 0);
}

static pthread_barrier_t both;

static void *wait_and_look(void *want)
{
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	return look(want);
}

static void in_child(int what)
{
	struct stat st;
	switch (what) {
	case 0:
		filter_out(SYS_newfstatat, SECCOMP_RET_KILL_PROCESS, 0);
		printf("not reached: %s\n", outcome(syscall(SYS_newfstatat, AT_FDCWD, "small.txt", &st, 0)));
		exit(1);
	case 1:
		filter_out(SYS_uname, SECCOMP_RET_KILL_THREAD, 0);
		syscall(SYS_uname, &st);
		exit(1);
	case 2:
		filter_out(SYS_mkdir, SECCOMP_RET_ERRNO | EXDEV, 0);
		execl("/bin/sh", "sh", "-c", "mkdir made 2>&1; ls -d made 2>&1; cat small.txt | head -c 9", NULL);
		exit(1);
	case 3:
		filter_out(SYS_getppid, SECCOMP_RET_TRAP | 77, 0);
		signal(SIGSYS, SIG_IGN);
		syscall(SYS_getppid);
		exit(1);
	}
}

int main(void)
{
	struct stat st;
	void *first, *second;
	pthread_t thread, other;
	for (int what = 0; what < 4; what++) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0)
			in_child(what);
		show_wait("child", pid);
	}
	errno = 0;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	printf("too short: %s\n", outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL)));
	struct sock_filter bad[] = { BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0) };
	struct sock_fprog program = { 2, bad };
	printf("nonsense: %s\n", outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)));
	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&other, NULL, wait_and_look, "Network is down");
	pthread_barrier_wait(&both);
	printf("for all: %ld\n", filter_out(SYS_newfstatat, SECCOMP_RET_ERRNO | ENETDOWN, SECCOMP_FILTER_FLAG_TSYNC));
	pthread_barrier_wait(&both);
	pthread_create(&thread, NULL, look, "Network is down");
	pthread_join(thread, &first);
	pthread_join(other, &second);
	printf("here %s, in a new thread %ld, in an old one %ld\n",
	       outcome(syscall(SYS_newfstatat, AT_FDCWD, "small.txt", &st, 0)), (long)first, (long)second);
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	sigaction(SIGSYS, &action, NULL);
	filter_out(SYS_truncate, SECCOMP_RET_TRAP | 42, 0);
	long result = syscall(SYS_truncate, "small.txt", 0);
	printf("trapped %d errno %d code %d, gives %d\n", trapped_nr == SYS_truncate, trapped_errno, trapped_code,
	       result == SYS_truncate);
	int fd = open("small.txt", O_RDONLY);
	char text[10] = "";
	printf("read %zd: %s\n", read(fd, text, 9), text);
	return 0;
}
