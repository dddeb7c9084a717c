/* What execve answers, and what a script's interpreter gets. Runs in an empty directory. */
#include <sys/stat.h>
#include "tell.h"

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	if (write(fd, text, strlen(text)) < 0)
		abort();
	fchmod(fd, mode);
	close(fd);
}

static void try(const char *program)
{
	pid_t pid = fork();

	if (pid == 0) {
		char *const argv[] = { "zero", "one", "two words", NULL }, *const envp[] = { "A=b", NULL };

		execve(program, argv, envp);
		printf("%s: %s\n", program, strerrorname_np(errno));
		_exit(0);
	}
	tell_end(program, pid);
}

static void try_at(const char *what, int dirfd, const char *path, int flags, char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		char *const envp[] = { NULL };

		syscall(SYS_execveat, dirfd, path, argv, envp, flags);
		printf("%s: %s\n", what, strerrorname_np(errno));
		_exit(0);
	}
	tell_end(what, pid);
}

static void lines(void)
{
	char long_line[400] = "#!/bin/echo ", name[20];

	put("plain", "#!/bin/echo\n", 0755);
	put("argument", "#! /bin/echo   -n  arg  with blanks \t \nrest\n", 0755);
	put("no newline", "#!/bin/echo x", 0755);
	put("empty interpreter", "#!\n", 0755);
	put("blank interpreter", "#!   \t \n", 0755);
	put("missing", "#!/no/such/interpreter\n", 0755);
	put("directory interpreter", "#!/etc\n", 0755);
	put("relative", "#!plain\n", 0755);
	put("script of a script", "#!./plain deeper\n", 0755);
	put("mode", "#!/bin/echo\n", 0644);
	put("empty", "", 0755);
	put("text", "just text\n", 0755);
	put("one", "#", 0755);
	put("two", "#!", 0755);
	put("elf", "\177ELF", 0755);
	put("elf32", "\177ELF\1\1\1", 0755);
	memset(long_line + 12, 'y', 300);
	put("long", long_line, 0755);
	memcpy(long_line, "#!/bin/", 7);
	memset(long_line + 7, 'z', 300);
	put("cut", long_line, 0755);
	put("l1", "#!/bin/echo\n", 0755);
	for (int i = 2; i < 9; i++) {
		char line[40];

		snprintf(name, sizeof name, "l%d", i);
		snprintf(line, sizeof line, "#!./l%d a%d\n", i - 1, i);
		put(name, line, 0755);
	}
	put("crlf", "#!/bin/echo\r\n", 0755);
	put("nul", "#!/bin/echo x\0y\n", 0755);
	for (int length = 250; length < 260; length++) {
		snprintf(name, sizeof name, "len%d", length);
		memset(long_line, 0, sizeof long_line);
		strcpy(long_line, "#!/bin/echo ");
		memset(long_line + 12, 'a', (size_t)length - 12);
		strcat(long_line, "\nmore\n");
		put(name, long_line, 0755);
	}
}

int main(void)
{
	char *const argv[] = { "zero", "one", NULL }, *const none[] = { NULL };
	int fd;

	lines();
	symlink("plain", "link");
	symlink("loop", "loop");
	mkdir("shut", 0700);
	put("shut/inside", "#!/bin/echo\n", 0755);
	static const char *const programs[] = {
		"./plain",
		"./argument",
		"./no newline",
		"./empty interpreter",
		"./blank interpreter",
		"./missing",
		"./directory interpreter",
		"./relative",
		"./script of a script",
		"./mode",
		"./empty",
		"./text",
		"./one",
		"./two",
		"./elf",
		"./elf32",
		"./long",
		"./cut",
		"./link",
		"./loop",
		"./l1",
		"./l2",
		"./l4",
		"./l5",
		"./l6",
		"./l7",
		"./l8",
		"./crlf",
		"./nul",
		"/",
		"/etc/passwd",
		"/no/such",
		"/etc/passwd/x",
		"",
		".",
		"plain/",
		"/dev/null",
		"/proc/self/exe/x",
		"./len250",
		"./len252",
		"./len253",
		"./len254",
		"./len255",
		"./len256",
		"./len257",
		"./len259",
		"/bin/echo",
		"shut/inside",
	};
	for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++)
		try(programs[i]);
	{
		char path[5000];

		memset(path, 'p', sizeof path);
		path[4999] = 0;
		if (fork() == 0) {
			execve(path, none, none);
			printf("long path: %s\n", strerrorname_np(errno));
			_exit(0);
		}
		wait(NULL);
	}
	fd = open("/bin/echo", O_PATH | O_CLOEXEC);
	try_at("empty path", fd, "", AT_EMPTY_PATH, argv);
	try_at("empty path, no flag", fd, "", 0, argv);
	try_at("bad descriptor", 99, "echo", 0, argv);
	try_at("bad descriptor, empty", 99, "", AT_EMPTY_PATH, argv);
	try_at("not a directory", fd, "echo", 0, argv);
	try_at("bad flag", fd, "", 0x8, argv);
	try_at("nofollow", AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, argv);
	try_at("nofollow, no link", AT_FDCWD, "plain", AT_SYMLINK_NOFOLLOW, argv);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	try_at("script at directory", fd, "plain", 0, argv);
	fd = open("plain", O_RDONLY | O_CLOEXEC);
	try_at("script that closes", fd, "", AT_EMPTY_PATH, argv);
	fd = memfd_create("program", MFD_CLOEXEC);
	{
		char block[65536];
		int from = open("/bin/echo", O_RDONLY);
		ssize_t got;

		while ((got = read(from, block, sizeof block)) > 0)
			if (write(fd, block, (size_t)got) != got)
				abort();
	}
	try_at("memfd", fd, "", AT_EMPTY_PATH, argv);
	try_at("no arguments", AT_FDCWD, "/bin/true", 0, none);
	try_at("NULL arguments", AT_FDCWD, "/bin/true", 0, NULL);
	return 0;
}
