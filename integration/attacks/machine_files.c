/* By the front door: every path of the machine that a job might guess, through /proc and dot-dot too.
 * argv: paths of the machine that must not exist for a job.
 */
#include <dirent.h>
#include "attack.h"

static void must_not_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		HELD("%s: %s", path, strerrorname_np(errno));
	else
		BROKE("opened %s", path);
}

int main(int argc, char **argv)
{
	char path[1024];
	for (int i = 1; i < argc; i++) {
		static const char *const fronts[] = { "",
						      "/..",
						      "/../../..",
						      "/proc/self/root",
						      "/proc/1/root",
						      "/proc/self/cwd/../../../../..",
						      "/proc/1/cwd",
						      "/dev/..",
						      "/proc/self/task/1/root",
						      "/proc/thread-self/root",
						      "/tmp/.." };
		for (unsigned f = 0; f < sizeof(fronts) / sizeof(*fronts); f++) {
			snprintf(path, sizeof(path), "%s%s", fronts[f], argv[i]);
			must_not_open(path);
		}
	}
	int others = 0;
	DIR *proc = opendir("/proc");
	for (struct dirent *entry; proc && (entry = readdir(proc));) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || atoi(entry->d_name) == getpid())
			continue;
		others++;
		for (int fd = 0; fd < 64; fd++) {
			snprintf(path, sizeof(path), "/proc/%s/fd/%d", entry->d_name, fd);
			int got = open(path, O_RDONLY | O_NONBLOCK);
			if (got >= 0)
				BROKE("opened %s", path);
		}
		static const char *const parts[] = {
			"mem", "environ", "maps", "root/etc/passwd", "cwd", "exe", "auxv"
		};
		for (unsigned part = 0; part < sizeof(parts) / sizeof(*parts); part++) {
			snprintf(path, sizeof(path), "/proc/%s/%s", entry->d_name, parts[part]);
			must_not_open(path);
		}
	}
	printf("%d other processes seen\n", others);
	if (others > 1)
		BROKE("processes that are not the job's are seen");
	FILE *mounts = fopen("/proc/self/mountinfo", "r");
	while (mounts && fgets(path, sizeof(path), mounts))
		for (int i = 1; i < argc; i++)
			if (strstr(path, argv[i]))
				BROKE("mountinfo tells of %s", argv[i]);
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && (proc == NULL || fd != dirfd(proc)) &&
		    (mounts == NULL || fd != fileno(mounts)))
			BROKE("descriptor %d was left open", fd);
	return 0;
}
