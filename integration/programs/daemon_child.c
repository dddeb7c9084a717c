/* A child in a session of its own that works on after its parent, as long as the job's main process lives. */
#include "say.h"

int main(void)
{
	int p[2];
	char bytes[8];
	MUST(pipe(p));
	if (MUST(fork()) == 0) {
		MUST(setsid());
		if (MUST(fork()) == 0) {
			chdir("dir");
			put("daemon-was-here", "yes\n");
			write(p[1], "done", 4);
			_exit(0);
		}
		_exit(0);
	}
	close(p[1]);
	show_wait("first child", -1);
	VALUE(read(p[0], bytes, 8));
	show("dir/daemon-was-here");
	VALUE(getsid(0) > 0);
	YES(getpgid(0) > 0);
	TRY(waitpid(-1, NULL, 0));
	return 0;
}
