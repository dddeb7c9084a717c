/* The job's /proc: its own processes, and few files of the machine.
 *
 * A proc file system of the job's PID namespace with hidepid=invisible; what
 * else it shows is covered, name by name, except the files programs read.
 * subset=pid would hide them too, but then there is no name to bind cpuinfo or
 * meminfo over. Everything not named here is hidden, whatever a newer kernel adds.
 */
#include "keeper.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#define SHUT (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const char *const files[] = { "cpuinfo", "meminfo",     "stat",  "loadavg",   "uptime", "version",
				     "cgroups", "filesystems", "swaps", "config.gz", NULL };
/* sys is bound read-only; sysvipc shows the job's own IPC namespace. */
static const char *const others[] = { "sys", "sysvipc", NULL };

static bool among(const char *const *list, const char *name)
{
	while (*list != NULL && strcmp(*list, name))
		list++;
	return *list != NULL;
}

static void cover(const struct dirent *entry)
{
	char path[6 + sizeof entry->d_name];
	snprintf(path, sizeof path, "proc/%s", entry->d_name);
	/* An empty file and an empty directory that are read-only already. */
	int failed = hp_bind(entry->d_type == DT_DIR ? "sys/fs/cgroup" : "dev/null", path);
	if (failed)
		hp_die(-failed, path);
}

static void cover_the_machine(void)
{
	DIR *proc = opendir("proc");
	if (proc == NULL)
		hp_die(errno, "reading /proc");
	for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
		const char *name = entry->d_name;
		/* A symlink leads to what is shown or covered by itself. */
		if (!isdigit((unsigned char)*name) && entry->d_type != DT_LNK && *name != '.' && !among(files, name) &&
		    !among(others, name))
			cover(entry);
	}
	closedir(proc);
	if (mount("proc/sys", "proc/sys", NULL, MS_BIND, NULL) ||
	    mount(NULL, "proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SHUT, NULL))
		hp_die(errno, "closing /proc/sys");
}

static void copy(int from, int to)
{
	char part[4096];
	for (ssize_t length = read(from, part, sizeof part); length > 0; length = read(from, part, sizeof part))
		if (write(to, part, (size_t)length) != length)
			return;
}

/* A machine that covers parts of its own /proc (a container) may refuse a new
 * one to us. Then the job has the files as they are now, and no processes. */
static void copy_the_files(void)
{
	if (mount("proc", "proc", "tmpfs", SHUT, "mode=0555,size=1m,nr_inodes=32"))
		hp_die(errno, "mounting /proc");
	for (const char *const *name = files; *name != NULL; name++) {
		char path[32];
		snprintf(path, sizeof path, "/proc/%s", *name);
		HP_AUTO_CLOSE int from = open(path, O_RDONLY | O_CLOEXEC);
		HP_AUTO_CLOSE int to = open(path + 1, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
		if (from >= 0 && to >= 0)
			copy(from, to);
	}
	if (mount(NULL, "proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SHUT, NULL))
		hp_die(errno, "closing /proc");
}

void hp_proc_mount(void)
{
	int failed = hp_mount_point("proc", 0555);
	if (failed)
		hp_die(-failed, "/proc");
	if (mount("proc", "proc", "proc", SHUT, "hidepid=invisible") == 0) {
		cover_the_machine();
		hp_protection("proc", true, NULL);
		return;
	}
	if (errno != EPERM)
		hp_die(errno, "mounting /proc");
	if (mount("proc", "proc", "proc", SHUT, "subset=pid,hidepid=invisible") == 0) {
		hp_protection("proc", true, "processes-only");
		return;
	}
	copy_the_files();
	hp_protection("proc", false, "the-machine's-own-is-covered");
}
