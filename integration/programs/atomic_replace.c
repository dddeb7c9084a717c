/* Write aside, rename over: a reader sees the old or the new content, whole, never a mixture. */
#include "say.h"

int main(void)
{
	char text[64], name[32];
	put("state", "version 000\n");
	pid_t pid = MUST(fork());
	if (pid == 0) {
		for (int i = 1; i < 200; i++) {
			snprintf(name, sizeof(name), "state.%d", i);
			snprintf(text, sizeof(text), "version %03d\n", i);
			int fd = MUST(open(name, O_WRONLY | O_CREAT | O_EXCL, 0644));
			MUST(write(fd, text, strlen(text)));
			if (i % 50 == 0)
				MUST(fsync(fd));
			MUST(close(fd));
			MUST(rename(name, "state"));
		}
		_exit(0);
	}
	int bad = 0, last = 0, back = 0, running = 1;
	while (running) {
		running = waitpid(pid, NULL, WNOHANG) == 0;
		int fd = open("state", O_RDONLY), version;
		if (fd < 0) {
			bad++;
			continue;
		}
		ssize_t got = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[got > 0 ? got : 0] = 0;
		if (got != 12 || sscanf(text, "version %d", &version) != 1)
			bad++;
		else {
			back += version < last;
			last = version;
		}
	}
	printf("bad %d, backwards %d\n", bad, back);
	show("state");
	return 0;
}
