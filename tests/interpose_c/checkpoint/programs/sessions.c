/* Who is in another session than its parent: made before that founded its own, or left to somebody else. */
#include "again.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define MOST 16

static struct {
	int count;
	struct {
		pid_t pid, sid, ppid;
		int same;
	} of[MOST];
} *table;
static int settled[2], over[2], heard[2];

/* When all parents are what they stay, and again at the end. */
static void live(void)
{
	char word;
	CHECK(write(heard[1], "x", 1) == 1 && read(settled[0], &word, 1) == 1);
	int n = __atomic_fetch_add(&table->count, 1, __ATOMIC_SEQ_CST);
	table->of[n].pid = getpid(), table->of[n].sid = getsid(0), table->of[n].ppid = getppid();
	CHECK(write(heard[1], "x", 1) == 1 && read(over[0], &word, 1) == 1);
	table->of[n].same =
		table->of[n].pid == getpid() && table->of[n].sid == getsid(0) && table->of[n].ppid == getppid();
	CHECK(write(heard[1], "x", 1) == 1);
	for (;;)
		pause();
}

static int await(int count)
{
	char word;
	for (int n = 0; n < count; n++)
		CHECK(read(heard[0], &word, 1) == 1);
	return count;
}

/* One below the other, each in the session of the one above when it is made; all but the last found their own. */
static void descend(int depth)
{
	while (depth && fork() == 0)
		depth--;
	if (depth)
		CHECK(setsid() == getpid());
	live();
}

/* A session whose leader ends: two who are nobody's, and a child of one, which founds its own and leaves one behind. */
static void leave_session(void)
{
	CHECK(setsid() == getpid());
	if (fork() == 0) {
		if (fork() == 0)
			descend(1);
		live();
	}
	if (fork() == 0)
		live();
	_exit(0);
}

/* A subreaper that is given one of a session below it, whose leader lives. */
static void reap(void)
{
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	if (fork() == 0) {
		CHECK(setsid() == getpid());
		pid_t between = fork();
		if (between == 0) {
			if (fork() == 0)
				live();
			_exit(0);
		}
		CHECK(waitpid(between, NULL, 0) == between);
		live();
	}
	live();
}

int main(void)
{
	table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(table != MAP_FAILED && pipe(settled) == 0 && pipe(over) == 0 && pipe(heard) == 0);
	if (fork() == 0)
		descend(3);
	pid_t leader = fork();
	if (leader == 0)
		leave_session();
	CHECK(waitpid(leader, NULL, 0) == leader);
	if (fork() == 0)
		reap();
	int count = await(4 + 4 + 3);
	CHECK(write(settled[1], "xxxxxxxxxxxxxxxx", (size_t)count) == count && await(count));
	linger();
	CHECK(write(over[1], "xxxxxxxxxxxxxxxx", (size_t)count) == count && await(count) && table->count == count);
	for (int n = 0; n < count; n++)
		CHECK(table->of[n].same);
	return done();
}
