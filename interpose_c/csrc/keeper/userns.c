/* See userns.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t put = write(fd, text, strlen(text));
	int failed = put < 0 ? -errno : 0;
	close(fd);
	return failed;
}

static int become(unsigned uid, unsigned gid)
{
	if (geteuid() != 0)
		return geteuid() == uid && getegid() == gid ? 0 : -EPERM;
	if (uid == 0 || gid == 0)
		return -EINVAL; /* root outside is what this function is there to leave */
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

static int write_id_map(const char *path, unsigned inside, unsigned outside)
{
	char line[64];
	snprintf(line, sizeof line, "%u %u 1", inside, outside);
	return write_text(path, line);
}

/* An exec by a uid other than 0 drops every capability but the ambient ones,
 * and the keeper is reached by an exec. */
static int keep_capabilities_over_exec(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];
	if (syscall(SYS_capget, &header, sets))
		return -errno;
	sets[0].inheritable = sets[0].permitted;
	sets[1].inheritable = sets[1].permitted;
	if (syscall(SYS_capset, &header, sets))
		return -errno;
	for (unsigned cap = 0; cap < 64; cap++)
		if (sets[cap / 32].permitted & (1u << (cap % 32)))
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return 0;
}

int hp_userns_enter(unsigned inside_uid, unsigned inside_gid, unsigned outside_uid, unsigned outside_gid)
{
	int failed = become(outside_uid, outside_gid);
	if (failed)
		return failed;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;
	/* Changing uid made us non-dumpable, and /proc/self root's: we could
	 * not open our own maps for writing. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	failed = write_text("/proc/self/setgroups", "deny");
	if (!failed)
		failed = write_id_map("/proc/self/gid_map", inside_gid, outside_gid);
	if (!failed)
		failed = write_id_map("/proc/self/uid_map", inside_uid, outside_uid);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (failed)
		return failed;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	/* A user namespace made by the job would give it capabilities over the
	 * mirror. Where /proc/sys is read-only this fails; the keeper looks again,
	 * refuses clone3 then, and reports it. */
	(void)write_text("/proc/sys/user/max_user_namespaces", "0");
	return keep_capabilities_over_exec();
}

/* The memory that shim and starter share is not to fail with SIGBUS when the job
 * has filled the mirror: it has a file system of its own. */
static int mount_private(const char *directory)
{
	char path[PATH_MAX];
	if ((size_t)snprintf(path, sizeof path, "%s/.hpool", directory) >= sizeof path)
		return -ENAMETOOLONG;
	if (mkdir(path, 0700) ||
	    mount("hpool", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=256m,nr_inodes=16"))
		return -errno;
	return 0;
}

int hp_mirror_mount(const char *directory, uint64_t size_bytes, uint64_t inodes)
{
	char options[128];
	snprintf(options, sizeof options, "mode=0755,size=%llu,nr_inodes=%llu,inode64", (unsigned long long)size_bytes,
		 (unsigned long long)inodes);
	/* relatime stays: /tmp is in here too, and its times are the job's to see. */
	unsigned long flags = MS_NOSUID | MS_NODEV;
	if (mount("hpool", directory, "tmpfs", flags, options)) {
		if (errno != EINVAL)
			return -errno;
		*strrchr(options, ',') = '\0'; /* kernels before 5.9 know no inode64 */
		if (mount("hpool", directory, "tmpfs", flags, options))
			return -errno;
	}
	int root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	int failed = mount_private(directory);
	if (failed) {
		close(root);
		return failed;
	}
	return root;
}
