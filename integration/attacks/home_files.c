/* The job against home: what is not shared is not had, by any name, and nothing outside the working directory is changed.
 * argv: the submitter's home directory.
 */
#include <sys/xattr.h>
#include "attack.h"

int main(int argc, char **argv)
{
	char path[1024], bytes[64];
	static const char *const secrets[] = { ".ssh/id_ed25519",         ".gnupg/key", ".aws/credentials",
					       ".config/hpool/pool.toml", ".netrc",     ".kube/config" };
	static const char *const ways[] = { "%s/%s",
					    "%s/work/../%s",
					    "%s/work/way-home/%s",
					    "%s/./../tess/%s",
					    "/proc/self/root%s/%s",
					    "%s//%s",
					    "/proc/self/cwd/../../../%s/%s" };
	(void)argc;
	snprintf(path, sizeof(path), "%s", argv[1]);
	symlink(path, "way-home");
	for (unsigned s = 0; s < sizeof(secrets) / sizeof(*secrets); s++)
		for (unsigned w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
			snprintf(path, sizeof(path), ways[w], argv[1], secrets[s]);
			int fd = open(path, O_RDONLY);
			ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
			if (got > 0)
				BROKE("read %s", path);
			else
				HELD("%s: %s", path, strerrorname_np(errno));
		}
	snprintf(path, sizeof(path), "%s/.ssh/id_ed25519", argv[1]);
	MUST_FAIL(link(path, "linked-secret"));
	MUST_FAIL(rename(path, "moved-secret"));
	MUST_FAIL(unlink(path));
	MUST_FAIL(chmod(path, 0644));
	MUST_FAIL(truncate(path, 0));
	MUST_FAIL(getxattr(path, "user.x", bytes, sizeof(bytes)) >= 0 ? 0 : -1);
	snprintf(path, sizeof(path), "%s/.bashrc", argv[1]);
	MUST_FAIL(open(path, O_WRONLY));
	MUST_FAIL(open(path, O_WRONLY | O_APPEND));
	MUST_FAIL(open(path, O_RDONLY | O_TRUNC));
	MUST_FAIL(truncate(path, 0));
	MUST_FAIL(unlink(path));
	MUST_FAIL(rename(path, "moved"));
	MUST_FAIL(chmod(path, 0777));
	MUST_FAIL(setxattr(path, "user.x", "x", 1, 0));
	MUST_FAIL(utimensat(AT_FDCWD, path, (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0));
	MUST_FAIL(link(path, "linked-rc") == 0 ? open("linked-rc", O_WRONLY) : -1);
	snprintf(path, sizeof(path), "%s/planted", argv[1]);
	MUST_FAIL(open(path, O_WRONLY | O_CREAT, 0600));
	MUST_FAIL(mkdir(path, 0700));
	MUST_FAIL(symlink("/", path));
	MUST_FAIL(rename("small.txt", path));
	MUST_FAIL(link("small.txt", path));
	snprintf(path, sizeof(path), "%s/work", argv[1]);
	MUST_FAIL(rename(path, "/tmp/work"));
	MUST_FAIL(open("/etc/shadow", O_RDONLY));
	MUST_FAIL(open("/etc/passwd", O_WRONLY));
	MUST_FAIL(mknod("device", S_IFCHR | 0600, 0x103));
	MUST_FAIL(mknod("device", S_IFBLK | 0600, 0x800));
	alarm(10);
	MUST_FAIL(open("home-device", O_RDONLY));
	int fifo = open("home-fifo", O_RDONLY | O_NONBLOCK);
	HELD("a FIFO of home: %s", fifo < 0 ? strerrorname_np(errno) : "local to the job");
	unlink("way-home");
	return 0;
}
