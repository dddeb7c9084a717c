/* Scripts that begin with #!, their arguments, one optional argument, nesting, missing interpreters, what $0 is. */
#include "say.h"

static void script(const char *name, const char *text)
{
	put(name, text);
	MUST(chmod(name, 0755));
}

static void run(const char *name)
{
	pid_t pid = MUST(fork());
	if (pid == 0) {
		execl(name, "ignored-argv0", "one", "two words", NULL);
		printf("%s: %s\n", name, strerrorname_np(errno));
		exit(98);
	}
	show_wait(name, pid);
}

int main(void)
{
	run("./script.sh");
	script("args", "#!/bin/sh -e\necho \"$0|$1|$2|$#\"\n");
	run("./args");
	run("dir/../args");
	script("spaces", "#!   /bin/echo   several words here  \n");
	run("./spaces");
	script("nested", "#!./args outer\n");
	run("./nested");
	script("env", "#!/usr/bin/env sh\necho by env $1\n");
	run("./env");
	script("missing", "#!/no/such/interpreter\n");
	run("./missing");
	script("dirint", "#!/usr\n");
	run("./dirint");
	script("self", "#!./self\n");
	run("./self");
	script("nothing", "#!\n");
	run("./nothing");
	script("crlf", "#!/bin/sh\r\necho x\n");
	run("./crlf");
	script("plain", "echo without a line\n");
	run("./plain");
	MUST(symlink("args", "alias"));
	run("./alias");
	script("awk", "#!/usr/bin/awk -f\nBEGIN { print \"awk says hello\" }\n");
	run("./awk");
	return system("./plain");
}
