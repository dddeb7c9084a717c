/* Signals that a step of the dumper's would meet: SIGSTOP without pause, SIGSYS of system calls at places
 * where there was none before, and a blocked SIGTRAP among others that are pending all the time. */
#include "again.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE 4096
#define APART 64

static const int held_back[] = { SIGTRAP, SIGSEGV, SIGUSR1 };
#define KINDS (int)(sizeof held_back / sizeof *held_back)

/* getppid, each time by an instruction that nobody has run. */
static _Noreturn void work(void)
{
	static const unsigned char code[] = { 0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	for (;;) {
		char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(page != MAP_FAILED);
		for (int at = 0; at < PAGE; at += APART) {
			memcpy(page + at, code, sizeof code);
			CHECK(((long (*)(void))(page + at))() == getppid());
		}
		CHECK(munmap(page, PAGE) == 0);
	}
}

static pid_t begin(pid_t to_stop)
{
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0 && !to_stop)
		work();
	while (child == 0) {
		CHECK(kill(to_stop, SIGSTOP) == 0);
		CHECK(kill(to_stop, SIGCONT) == 0);
	}
	return child;
}

static void end(pid_t child)
{
	int status;
	CHECK(waitpid(child, &status, WNOHANG) == 0);
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
	const struct timespec none = { 0, 0 };
	sigset_t all;
	siginfo_t info;
	pid_t worker = begin(0), stopped = begin(0), stopper = begin(stopped);
	sigemptyset(&all);
	for (int n = 0; n < KINDS; n++)
		sigaddset(&all, held_back[n]);
	CHECK(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	for (int n = 0; n < KINDS; n++)
		CHECK(sigqueue(getpid(), held_back[n], (union sigval){ .sival_int = 100 + n }) == 0);
	linger();
	for (int n = 0; n < KINDS; n++) {
		sigset_t one;
		sigemptyset(&one);
		sigaddset(&one, held_back[n]);
		CHECK(sigtimedwait(&one, &info, &none) == held_back[n] && info.si_value.sival_int == 100 + n);
	}
	end(stopper);
	end(stopped);
	end(worker);
	return done();
}
