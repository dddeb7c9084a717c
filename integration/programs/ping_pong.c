/* Processes that wake each other by signals alone: sigsuspend, sigwait, pause with masks; each hands a file's next line on. */
#include "sig.h"

enum { ROUNDS = 1500 };

static volatile sig_atomic_t mine;

static void caught(int number)
{
	(void)number;
	mine++;
}

struct table {
	int lines, wrong;
};

/* The offset is both processes'. */
static void take_turn(int fd, struct table *table, int turn)
{
	char line[11] = "";
	if (turn % 1000 == 0)
		MUST(lseek(fd, 0, SEEK_SET));
	MUST(read(fd, line, 10));
	table->wrong += atoi(line + 5) != turn % 1000;
	table->lines++;
}

/* Blocked all the time but while it sleeps: not one may be lost. */
static void by_sigsuspend(struct table *table)
{
	sigset_t none;
	int fd = MUST(open("lines.txt", O_RDONLY));
	sigemptyset(&none);
	memset(table, 0, sizeof(*table));
	on(SIGUSR1, caught, SA_RESTART);
	mask(SIG_BLOCK, SIGUSR1);
	mine = 0;
	pid_t pid = MUST(fork()), other = pid ? pid : getppid();
	for (int i = 0; i < ROUNDS; i++) {
		if (pid) {
			take_turn(fd, table, 2 * i);
			kill(other, SIGUSR1);
		}
		while (mine <= i)
			sigsuspend(&none);
		if (!pid) {
			take_turn(fd, table, 2 * i + 1);
			kill(other, SIGUSR1);
		}
	}
	if (!pid)
		_exit(masked(SIGUSR1) ? 0 : 1);
	show_wait("by sigsuspend", pid);
	printf("%d lines, %d wrong, %d caught\n", table->lines, table->wrong, mine);
	mask(SIG_UNBLOCK, SIGUSR1);
	close(fd);
}

static void by_sigwait(void)
{
	sigset_t set = set_of(SIGRTMIN);
	mask(SIG_BLOCK, SIGRTMIN);
	pid_t pid = MUST(fork()), other = pid ? pid : getppid();
	siginfo_t info = { 0 };
	int right = 0;
	for (int i = 0; i < ROUNDS; i++) {
		if (pid)
			MUST(sigqueue(other, SIGRTMIN, (union sigval){ .sival_int = i }));
		MUST(sigwaitinfo(&set, &info));
		right += info.si_int == (pid ? -i : i) && info.si_pid == other && info.si_code == SI_QUEUE;
		if (!pid)
			MUST(sigqueue(other, SIGRTMIN, (union sigval){ .sival_int = -i }));
	}
	if (!pid)
		_exit(right == ROUNDS ? 0 : 1);
	show_wait("by sigwaitinfo", pid);
	VALUE(right);
	mask(SIG_UNBLOCK, SIGRTMIN);
}

/* A ring: whoever gets it passes it on; each passes a file on, too. */
static void in_a_ring(void)
{
	enum { MEMBERS = 5, LAPS = 100 };
	pid_t next = 0;
	sigset_t set = set_of(SIGUSR2);
	int fd = MUST(open("ring", O_RDWR | O_CREAT | O_APPEND, 0644)), status;
	pid_t *pids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mask(SIG_BLOCK, SIGUSR2);
	for (int i = 0; i < MEMBERS; i++) {
		pid_t pid = MUST(fork());
		if (pid == 0) {
			for (int lap = 0, number; lap < LAPS; lap++) {
				char line[16];
				MUST(sigwait(&set, &number));
				next = pids[(i + 1) % MEMBERS];
				MUST(write(fd, line, snprintf(line, sizeof(line), "%d:%d\n", lap, i)));
				if (i < MEMBERS - 1 || lap < LAPS - 1)
					MUST(kill(next, SIGUSR2));
			}
			_exit(0);
		}
		pids[i] = pid;
	}
	MUST(kill(pids[0], SIGUSR2));
	for (int i = 0; i < MEMBERS; i++) {
		MUST(waitpid(pids[i], &status, 0));
		show_status("member", status);
	}
	VALUE(lseek(fd, 0, SEEK_END));
}

int main(void)
{
	struct table *table = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	by_sigsuspend(table);
	by_sigwait();
	in_a_ring();
	return 0;
}
