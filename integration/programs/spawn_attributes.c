/* posix_spawn with every attribute and file action, and its errors; system and popen; all of it with signals about. */
#include <sched.h>
#include <spawn.h>
#include "sig.h"

extern char **environ;

static void handler(int number)
{
	(void)number;
}

static posix_spawn_file_actions_t actions;
static posix_spawnattr_t attributes;

static void begin(short flags)
{
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, flags);
}

static void spawn(const char *what, const char *path, const char *script)
{
	char *argv[] = { "sh", "-c", (char *)script, "name", NULL };
	pid_t pid = 0;
	fflush(stdout);
	int error = posix_spawn(&pid, path, &actions, &attributes, argv, environ);
	if (error)
		printf("%s: %s\n", what, strerrorname_np(error));
	else
		show_wait(what, pid);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
}

static void in_bash(const char *what, const char *script)
{
	spawn(what, "/bin/bash", script);
}

/* This program again: what it finds of its signals. */
static int tell_signals(void)
{
	for (int number = 1; number < 32; number++) {
		struct sigaction action;
		sigaction(number, NULL, &action);
		if (masked(number) || action.sa_handler != SIG_DFL)
			printf(" %s%s%s", sigabbrev_np(number), masked(number) ? " blocked" : "",
			       action.sa_handler == SIG_IGN ? " ignored" :
			       action.sa_handler            ? " HANDLED" :
							      "");
	}
	puts(" and no more");
	return 0;
}

#define SIGNALS "signals"

int main(int argc, char **argv)
{
	sigset_t set;
	if (argc > 2 && !strcmp(argv[2], SIGNALS))
		return tell_signals();
	on(SIGUSR1, handler, 0);
	signal(SIGUSR2, SIG_IGN);
	mask(SIG_BLOCK, SIGHUP);
	begin(0);
	spawn("plain", "/proc/self/exe", SIGNALS);
	begin(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attributes, &set);
	posix_spawnattr_setsigmask(&attributes, &set);
	spawn("all blocked, all default", "/proc/self/exe", SIGNALS);
	begin(POSIX_SPAWN_SETSIGMASK);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attributes, &set);
	spawn("none blocked", "/proc/self/exe", SIGNALS);
	begin(POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setpgroup(&attributes, 0);
	in_bash("own group", "read -r a b c d e rest < /proc/self/stat; [ $e = $$ ] && echo leads");
	begin(POSIX_SPAWN_SETSID);
	in_bash("own session", "read -r a b c d e f rest < /proc/self/stat; [ $f = $$ ] && echo leads");
	begin(POSIX_SPAWN_RESETIDS);
	in_bash("ids", "[ $UID = $EUID ] && echo same");
	begin(POSIX_SPAWN_SETSCHEDULER);
	struct sched_param none = { 0 };
	posix_spawnattr_setschedpolicy(&attributes, SCHED_BATCH);
	posix_spawnattr_setschedparam(&attributes, &none);
	in_bash("scheduler",
		"while read -r name colon value; do [ $name = policy ] && echo policy $value; done < /proc/self/sched; true");
	begin(0);
	posix_spawn_file_actions_addopen(&actions, 1, "out.txt", O_WRONLY | O_CREAT | O_TRUNC, 0640);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	posix_spawn_file_actions_addopen(&actions, 7, "dir/a", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, 7, 0);
	posix_spawn_file_actions_addclose(&actions, 7);
	spawn("files", "/bin/sh", "cat; echo error >&2");
	show("out.txt");
	begin(0);
	posix_spawn_file_actions_addchdir_np(&actions, "dir/sub");
	posix_spawn_file_actions_addopen(&actions, 0, "deep/leaf.txt", O_RDONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	spawn("elsewhere", "/bin/sh", "cat; basename $(pwd)");
	int fd = MUST(open("tree/1", O_RDONLY | O_DIRECTORY));
	begin(0);
	posix_spawn_file_actions_addfchdir_np(&actions, fd);
	spawn("by descriptor", "/bin/sh", "basename $(pwd)");
	begin(0);
	posix_spawn_file_actions_addopen(&actions, 0, "absent", O_RDONLY, 0);
	spawn("no input", "/bin/sh", "exit 1");
	begin(0);
	posix_spawn_file_actions_addchdir_np(&actions, "small.txt");
	spawn("no directory", "/bin/sh", "exit 1");
	begin(0);
	posix_spawn_file_actions_adddup2(&actions, 400, 1);
	spawn("no descriptor", "/bin/sh", "exit 1");
	begin(0);
	spawn("absent", "./absent", "exit 1");
	begin(0);
	spawn("not executable", "./small.txt", "exit 1");
	begin(0);
	spawn("a directory", "./dir", "exit 1");
	begin(0);
	put("nonsense", "\x7f"
			"ELFnot really");
	chmod("nonsense", 0755);
	spawn("nonsense", "./nonsense", "exit 1");
	begin(0);
	spawn("relative", "./script.sh", "x");
	begin(POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setpgroup(&attributes, 999999);
	spawn("no such group", "/bin/sh", "exit 1");
	char *none_such[] = { "none-such-program", NULL };
	pid_t pid;
	printf("%s\n", strerrorname_np(posix_spawnp(&pid, "none-such-program", NULL, NULL, none_such, environ)));
	alarms(1000);
	on(SIGALRM, handler, SA_RESTART);
	for (int i = 0; i < 20; i++) {
		begin(0);
		char *argv[] = { "true", NULL };
		int status, error = posix_spawnp(&pid, "true", &actions, &attributes, argv, environ);
		if (error || waitpid(pid, &status, 0) != pid || status)
			printf("true: %d %d\n", error, status);
	}
	alarms(0);
	printf("system: %d\n", system("exit 3"));
	printf("system: %d\n", system("kill -9 $$"));
	FILE *stream = popen("cat small.txt; exit 2", "r");
	char line[64];
	while (stream && fgets(line, sizeof(line), stream))
		fputs(line, stdout);
	printf("pclose: %d\n", pclose(stream));
	return 0;
}
