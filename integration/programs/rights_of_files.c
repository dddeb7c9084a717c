/* What each mode lets the owner do with a file: open, access, execute. */
#include "say.h"

static const char *error_of(long result)
{
	return result < 0 ? strerrorname_np(errno) : "ok";
}

int main(void)
{
	for (int bits = 0; bits < 8; bits++) {
		int modes[] = { bits << 6, bits << 6 | 077, bits << 6 | 07 };
		for (int i = 0; i < 3; i++) {
			put("f", "#!/bin/true\n");
			MUST(chmod("f", modes[i]));
			printf("%03o:", modes[i]);
			for (int flags = O_RDONLY; flags <= O_RDWR; flags++) {
				int fd = open("f", flags);
				printf(" %s", error_of(fd));
				close(fd);
			}
			int fds[] = { open("f", O_RDONLY | O_TRUNC), open("f", O_RDWR | O_CREAT, 0777),
				      open("f", O_PATH) };
			printf(", trunc %s, creat %s, path %s", fds[0] < 0 ? "no" : "ok", fds[1] < 0 ? "no" : "ok",
			       fds[2] < 0 ? "no" : "ok");
			for (int j = 0; j < 3; j++)
				close(fds[j]);
			for (int how = 1; how < 8; how++)
				printf(" %d=%s", how, error_of(access("f", how)));
			fflush(stdout);
			/* who may execute and not read: nothing could be carried to the sandbox */
			if ((bits & 5) == 1) {
				printf("\n");
				MUST(unlink("f"));
				continue;
			}
			pid_t pid = MUST(fork());
			if (pid == 0) {
				execl("./f", "./f", NULL);
				printf(", exec %s\n", strerrorname_np(errno));
				_exit(1);
			}
			int status;
			waitpid(pid, &status, 0);
			if (status == 0)
				printf(", exec ok\n");
			MUST(unlink("f"));
		}
	}
	TRY(faccessat(AT_FDCWD, "readonly.txt", W_OK, AT_EACCESS));
	TRY(faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
	TRY(faccessat(AT_FDCWD, "dangling", F_OK, 0));
	TRY(access("small.txt", 8));
	TRY(access("small.txt/x", F_OK));
	TRY(access("/etc/passwd", W_OK));
	TRY(access("/etc/passwd", R_OK));
	TRY(access("/etc/shadow", R_OK));
	return 0;
}
