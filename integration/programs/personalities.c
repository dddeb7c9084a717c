/* personality(2): the old ones change next to nothing, and what is executed under them runs. */
#include <sys/personality.h>
#include <sys/utsname.h>

#include "say.h"

static void run(unsigned long wanted)
{
	pid_t child = MUST(fork());

	if (child == 0) {
		personality(wanted);
		printf("%lx: now %x\n", wanted, personality(0xffffffff));
		execlp("sh", "sh", "-c", "cat /proc/self/personality; uname -m; ls small.txt | cat", NULL);
		_exit(99);
	}
	show_wait("it", child);
}

int main(void)
{
	static const unsigned long all[] = { PER_LINUX,     PER_LINUX_32BIT,   PER_SVR4,    PER_SVR3,
					     PER_SCOSVR3,   PER_BSD,           PER_XENIX,   PER_LINUX32,
					     PER_IRIX64,    PER_LINUX32_3GB,   PER_SOLARIS, PER_HPUX,
					     WHOLE_SECONDS, ADDR_COMPAT_LAYOUT };
	struct utsname name;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		run(all[i]);
	VALUE(personality(PER_LINUX32));
	MUST(uname(&name));
	printf("%s\n", name.machine);
	VALUE(personality(PER_LINUX));
	MUST(uname(&name));
	printf("%s\n", name.machine);
	return 0;
}
