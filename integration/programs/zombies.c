/* Zombies stay until waited for; WNOWAIT, WNOHANG, waitid, SIGCHLD and its ignoring; pidfd. */
#include <poll.h>
#include "say.h"

static volatile sig_atomic_t deaths;

static void died(int number)
{
	(void)number;
	deaths++;
}

int main(void)
{
	siginfo_t info;
	signal(SIGCHLD, died);
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(11);
	MUST(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	printf("%d %d\n", info.si_code == CLD_EXITED, info.si_status);
	char name[64], state = '?';
	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	FILE *stat_ = fopen(name, "r");
	if (stat_ && fscanf(stat_, "%*d %*s %c", &state) != 1)
		state = '!';
	printf("%c\n", state);
	TRY(kill(pid, 0));
	VALUE(waitpid(pid, NULL, WNOHANG) == pid);
	TRY(kill(pid, 0));
	TRY(waitpid(pid, NULL, WNOHANG));
	printf("%d\n", deaths);
	signal(SIGCHLD, SIG_IGN);
	pid = MUST(fork());
	if (pid == 0)
		_exit(0);
	TRY(waitpid(pid, NULL, 0));
	signal(SIGCHLD, SIG_DFL);
	pid = MUST(fork());
	if (pid == 0) {
		pause();
		_exit(0);
	}
	int fd = TRY(syscall(SYS_pidfd_open, pid, 0));
	struct pollfd wait_for = { .fd = fd, .events = POLLIN };
	VALUE(poll(&wait_for, 1, 0));
	TRY(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
	VALUE(poll(&wait_for, 1, 2000));
	show_wait("by pidfd", pid);
	return 0;
}
