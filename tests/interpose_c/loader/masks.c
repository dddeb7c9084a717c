/* What a program sees of its actions and masks. */
#include "tell.h"

static void show_but(int hidden, const char *when)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	printf("%s:", when);
	for (int i = 1; i < 65; i++)
		if (i != hidden && sigismember(&set, i))
			printf(" %d", i);
	printf("\n");
}

static void show(const char *when)
{
	show_but(0, when);
}

static void handler(int signal)
{
	printf("handler %d ", signal);
	show_but(SIGSYS, "mask"); /* never blocked in truth: within a handler that shows */
}

static void nested(int signal)
{
	static int depth;

	printf("in %d depth %d\n", signal, ++depth);
	if (depth < 3)
		raise(signal);
	depth--;
}

static void set_action(int signal, void (*with)(int), int flags, const char *mask)
{
	struct sigaction action = { .sa_handler = with, .sa_flags = flags }, old;

	sigemptyset(&action.sa_mask);
	for (; *mask; mask += strcspn(mask, " ") + (mask[strcspn(mask, " ")] == ' '))
		sigaddset(&action.sa_mask, atoi(mask));
	if (sigaction(signal, &action, &old))
		printf("sigaction %d: %s\n", signal, strerrorname_np(errno));
	else
		printf("sigaction %d: was %s flags %x\n", signal,
		       old.sa_handler == SIG_DFL ? "default" :
		       old.sa_handler == SIG_IGN ? "ignore" :
						   "mine",
		       (unsigned)old.sa_flags & ~0x04000000u);
}

static void query(int signal)
{
	struct sigaction old;

	if (sigaction(signal, NULL, &old))
		printf("query %d: %s\n", signal, strerrorname_np(errno));
	else
		printf("query %d: %s flags %x mask %lx\n", signal,
		       old.sa_handler == SIG_DFL ? "default" :
		       old.sa_handler == SIG_IGN ? "ignore" :
						   "mine",
		       (unsigned)old.sa_flags & ~0x04000000u, *(unsigned long *)&old.sa_mask);
}

int main(void)
{
	sigset_t set;

	for (int i = 0; i < 66; i++)
		query(i);
	set_action(SIGUSR1, handler, 0, "12 15 11");
	set_action(SIGUSR1, handler, SA_NODEFER, "12");
	raise(SIGUSR1);
	set_action(SIGUSR1, handler, SA_RESETHAND | SA_RESTART, "");
	query(SIGUSR1);
	raise(SIGUSR1);
	query(SIGUSR1);
	set_action(SIGUSR2, nested, SA_NODEFER, "");
	raise(SIGUSR2);
	set_action(SIGKILL, handler, 0, "");
	set_action(65, handler, 0, "");
	for (int i = 1; i < 65; i++)
		if (i != 9 && i != 19 && i != 32 && i != 33)
			set_action(i, i % 2 ? handler : SIG_IGN, SA_RESTART, "1 2 31 64");
	for (int i = 1; i < 65; i++)
		query(i);
	for (int i = 1; i < 65; i++)
		if (i != 9 && i != 19 && i != 32 && i != 33)
			raise(i);
	show("before");
	sigfillset(&set);
	TELL(sigprocmask(SIG_BLOCK, &set, NULL));
	show("all");
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	TELL(sigprocmask(SIG_UNBLOCK, &set, NULL));
	show("without SIGSYS");
	TELL(sigprocmask(SIG_SETMASK, &set, NULL));
	show("SIGSYS alone");
	TELL(sigprocmask(SIG_SETMASK, &set, &set));
	CHECK(sigismember(&set, SIGSYS));
	TELL(sigprocmask(77, &set, NULL));
	TELL(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8));
	TELL(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, 8, 8));
	TELL(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16));
	TELL(syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8));
	TELL(syscall(SYS_rt_sigaction, SIGUSR1, NULL, 8, 8));
	TELL(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
	if (fork() == 0) {
		show("forked");
		query(SIGUSR1);
		_exit(0);
	}
	wait(NULL);
	return 0;
}
