/* posix_spawn with file actions, attributes, a search path and failures. */
#include <spawn.h>
#include "say.h"

extern char **environ;

int main(void)
{
	pid_t pid;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&actions, 0, "small.txt", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "spawned", O_WRONLY | O_CREAT | O_TRUNC, 0640);
	posix_spawn_file_actions_addchdir_np(&actions, "dir");
	char *argv[] = { "sh", "-c", "cat; pwd | sed 's:.*/::'; echo $0 $HPOOL_SPAWN", NULL },
	     *env[] = { "HPOOL_SPAWN=yes", "PATH=/usr/bin:/bin", NULL };
	printf("%d\n", posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, env));
	show_wait("sh", pid);
	show("spawned");
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	posix_spawnattr_setsigdefault(&attributes, &set);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	signal(SIGTERM, SIG_IGN);
	char *killer[] = { "sh", "-c", "kill -TERM $$; echo survived", NULL };
	printf("%d\n", posix_spawnp(&pid, "sh", NULL, &attributes, killer, environ));
	show_wait("killed", pid);
	char *none[] = { "none", NULL };
	printf("%s\n", strerrorname_np(posix_spawn(&pid, "./none", NULL, NULL, none, environ)));
	printf("%s\n", strerrorname_np(posix_spawnp(&pid, "no-such-program-here", NULL, NULL, none, environ)));
	printf("%s\n", strerrorname_np(posix_spawn(&pid, "./notexec.sh", NULL, NULL, none, environ)));
	return system("exit 3") >> 8;
}
