/* F_NOTIFY with DN_ATTRIB: a change of mode or times is told to whoever watches the directory it is in, and the
 * changed one itself if that is a directory; renames are told where both names are in it. */
#include "say.h"

static int above, below;
static volatile int heard_above, heard_below;

static void hear(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	heard_above += info->si_fd == above;
	heard_below += info->si_fd == below;
}

static void tell(const char *what)
{
	printf("%s: above %s, below %s\n", what, heard_above ? "yes" : "no", heard_below ? "yes" : "no");
	heard_above = heard_below = 0;
}

static int watch(const char *path)
{
	int fd = MUST(open(path, O_RDONLY | O_DIRECTORY));

	TRY(fcntl(fd, F_SETSIG, SIGRTMIN + 1));
	TRY(fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_RENAME | DN_MULTISHOT));
	return fd;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = hear, .sa_flags = SA_SIGINFO };
	int fd;

	MUST(sigaction(SIGRTMIN + 1, &action, NULL));
	MUST(mkdir("watched", 0700));
	put("plain", "one");
	above = watch(".");
	below = watch("watched");
	TRY(chmod("watched", 0755));
	tell("chmod of the directory");
	TRY(chmod("plain", 0600));
	tell("chmod of a file");
	fd = MUST(open("plain", O_RDWR));
	TRY(fchmod(fd, 0640));
	tell("fchmod");
	TRY(futimens(fd, NULL));
	tell("futimens");
	TRY(rename("plain", "watched/plain"));
	tell("rename from one to the other");
	TRY(rename("watched", "renamed"));
	tell("rename of the directory");
	return 0;
}
