/* execveat and fexecve: by directory, by descriptor, unlinked, a script through a descriptor. */
#include "say.h"

extern char **environ;

static pid_t child_exec(int fd, const char *name, int flags, char **argv)
{
	pid_t pid = MUST(fork());
	if (pid == 0) {
		syscall(SYS_execveat, fd, name, argv, environ, flags);
		printf("execveat: %s\n", strerrorname_np(errno));
		exit(98);
	}
	return pid;
}

int main(void)
{
	char *echo[] = { "echo", "by descriptor", NULL }, *script[] = { "given-name", "argument", NULL };
	int bin = MUST(open("/bin", O_RDONLY | O_DIRECTORY)), here = MUST(open(".", O_RDONLY | O_DIRECTORY));
	int program = MUST(open("/bin/echo", O_RDONLY)), path = MUST(open("/bin/echo", O_PATH | O_CLOEXEC));
	show_wait("at", child_exec(bin, "echo", 0, echo));
	show_wait("empty path", child_exec(program, "", AT_EMPTY_PATH, echo));
	show_wait("O_PATH, close on exec", child_exec(path, "", AT_EMPTY_PATH, echo));
	show_wait("without the flag", child_exec(program, "", 0, echo));
	show_wait("script at", child_exec(here, "./script.sh", 0, script));
	show_wait("nofollow", child_exec(here, "link", AT_SYMLINK_NOFOLLOW, script));
	show_wait("absent", child_exec(here, "absent", 0, script));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		fexecve(program, echo, environ);
		_exit(98);
	}
	show_wait("fexecve", pid);
	MUST(system("cp /bin/echo ./mine") < 0 ? -1 : 0);
	int mine = MUST(open("mine", O_RDONLY));
	MUST(unlink("mine"));
	show_wait("unlinked", child_exec(mine, "", AT_EMPTY_PATH, echo));
	return 0;
}
