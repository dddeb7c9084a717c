/* The job's file system: the mirror as root, and what is the machine's in it.
 *
 * Owns: /dev, /sys, scratch places, islands, the change of root. Leaves to
 * others: /proc (proc.c) and everything the engine puts into the mirror; a
 * directory that is there already keeps its permission bits, which mean
 * something to the engine.
 *
 * Paths without a leading slash are in the new root (the working directory),
 * those with one are the machine's. Nothing of the job runs yet.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define UNLISTED 0100 /* a directory of the mirror whose names are not known yet */
#define SCRATCH 01777
#define SHM_INODES 65536

int hp_bind(const char *from, const char *to)
{
	return mount(from, to, NULL, MS_BIND, NULL) ? -errno : 0;
}

int hp_bind_read_only(const char *from, const char *to)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
						     MOUNT_ATTR_NOEXEC };
	HP_AUTO_CLOSE int tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) ||
	    move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	return 0;
}

/* Never through a symlink: home's names are in the mirror already. */
int hp_mount_point(const char *name, unsigned mode)
{
	struct stat found;
	if (mkdir(name, mode) == 0)
		return 0;
	if (errno != EEXIST || fstatat(AT_FDCWD, name, &found, AT_SYMLINK_NOFOLLOW))
		return -errno;
	return S_ISDIR(found.st_mode) ? 0 : -ENOTDIR;
}

static void must(int failed, const char *stage)
{
	if (failed)
		hp_die(-failed, stage);
}

static void attach(int root)
{
	/* Any directory of the machine will do: it is covered in this namespace
	 * only, and gone with the old root. Not /proc, /dev, /sys: used below. */
	static const char *const places[] = { "/tmp", "/mnt", "/run", "/var", "/usr", "/etc" };
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		hp_die(errno, "making mounts private");
	if (mount_setattr(root, "", AT_EMPTY_PATH, &attributes, sizeof attributes))
		hp_die(errno, "restricting the mirror");
	for (unsigned n = 0; n < sizeof places / sizeof *places; n++) {
		if (move_mount(root, "", AT_FDCWD, places[n], MOVE_MOUNT_F_EMPTY_PATH))
			continue;
		if (fchdir(root))
			hp_die(errno, "entering the mirror");
		return;
	}
	hp_die(errno, "attaching the mirror");
}

static void make_scratch(const char *name)
{
	must(hp_mount_point(name, SCRATCH), name);
	if (chmod(name, SCRATCH))
		hp_die(errno, name);
}

/* As much as the mirror, and not more than the job may have at all. */
static uint64_t shm_bytes(const struct hp_init *init)
{
	uint64_t most = init->spec->memory_bytes;
	return most && most < init->mirror_bytes ? most : init->mirror_bytes;
}

static void make_devices(void)
{
	static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };
	char missing[64] = "";
	for (unsigned n = 0; n < sizeof nodes / sizeof *nodes; n++) {
		char from[32], to[32];
		snprintf(from, sizeof from, "/dev/%s", nodes[n]);
		snprintf(to, sizeof to, "dev/%s", nodes[n]);
		if (mknod(to, S_IFREG | 0666, 0))
			hp_die(errno, from);
		if (hp_bind(from, to) == 0)
			continue;
		unlink(to);
		snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s-", nodes[n]);
	}
	strcat(missing, "missing");
	hp_protection("devices", !strcmp(missing, "missing"), strcmp(missing, "missing") ? missing : NULL);
}

static void make_dev(const struct hp_init *init)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "dev/fd" },       { "/proc/self/fd/0", "dev/stdin" },
		{ "/proc/self/fd/1", "dev/stdout" }, { "/proc/self/fd/2", "dev/stderr" },
		{ "pts/ptmx", "dev/ptmx" },
	};
	const unsigned long shut = MS_NOSUID | MS_NODEV;
	char options[96];
	snprintf(options, sizeof options, "mode=0755,size=%llu,nr_inodes=%u", (unsigned long long)shm_bytes(init),
		 SHM_INODES);
	must(hp_mount_point("dev", 0755), "/dev");
	if (mount("dev", "dev", "tmpfs", shut, options))
		hp_die(errno, "mounting /dev");
	make_devices();
	for (unsigned n = 0; n < sizeof links / sizeof *links; n++)
		if (symlink(links[n][0], links[n][1]))
			hp_die(errno, links[n][1]);
	if (mkdir("dev/pts", 0755) || mkdir("dev/shm", SCRATCH) || mkdir("dev/mqueue", SCRATCH))
		hp_die(errno, "/dev");
	if (mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"))
		hp_die(errno, "mounting /dev/pts");
	must(hp_bind("dev/shm", "dev/shm"), "/dev/shm");
	/* Without it POSIX message queues still work; only their listing is missing. */
	(void)mount("mqueue", "dev/mqueue", "mqueue", shut | MS_NOEXEC, NULL);
	if (mount(NULL, "dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | shut, NULL))
		hp_die(errno, "closing /dev");
}

static void make_sys(void)
{
	static const char *const directories[] = {
		"sys/devices", "sys/devices/system", "sys/kernel", "sys/kernel/mm", "sys/fs", "sys/fs/cgroup",
	};
	static const char *const shown[] = {
		"/sys/devices/system/cpu",
		"/sys/devices/system/node",
		"/sys/kernel/mm/transparent_hugepage",
		"/sys/kernel/mm/hugepages",
	};
	const unsigned long shut = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	must(hp_mount_point("sys", 0555), "/sys");
	if (mount("sys", "sys", "tmpfs", shut, "mode=0555,size=64k,nr_inodes=32"))
		hp_die(errno, "mounting /sys");
	for (unsigned n = 0; n < sizeof directories / sizeof *directories; n++)
		if (mkdir(directories[n], 0555))
			hp_die(errno, directories[n]);
	for (unsigned n = 0; n < sizeof shown / sizeof *shown; n++) {
		const char *to = shown[n] + 1;
		if (access(shown[n], F_OK) == 0 && (mkdir(to, 0555) || hp_bind_read_only(shown[n], to)))
			hp_die(errno, shown[n]);
	}
	if (mount(NULL, "sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | shut, NULL))
		hp_die(errno, "closing /sys");
}

/* A mount point cannot be renamed away, so home's directory stays where the
 * job's own scratch cannot replace it; and names on its two sides are on two
 * file systems for link and rename (EXDEV), as scratch and home really are. */
static void mount_on_itself(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	HP_AUTO_CLOSE int place = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	if (place < 0)
		hp_die(errno, path);
	HP_AUTO_CLOSE int tree = open_tree(place, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		hp_die(errno, path);
}

static void change_root(void)
{
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		hp_die(errno, "changing the root");
}

void hp_mounts_build(const struct hp_init *init)
{
	umask(0);
	attach(init->root);
	make_scratch("tmp");
	must(hp_mount_point("var", UNLISTED), "/var");
	make_scratch("var/tmp");
	make_dev(init);
	make_sys();
	hp_proc_mount();
	mount_on_itself("/tmp");
	mount_on_itself("/var/tmp");
	for (char **island = init->spec->islands; *island != NULL; island++)
		mount_on_itself(*island);
	change_root();
	hp_protection("mounts", true, NULL);
}
