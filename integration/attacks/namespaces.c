/* Namespaces, mounts, roots: none to be had, in any way. */
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include "attack.h"

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

int main(void)
{
	static char stack[65536];
	static const int kinds[] = { CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,    CLONE_NEWNET,
				     CLONE_NEWUTS,  CLONE_NEWIPC, CLONE_NEWCGROUP, CLONE_NEWUSER | CLONE_NEWNS };
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		printf("kind %x\n", kinds[i]);
		MUST_FAIL(unshare(kinds[i]));
		MUST_FAIL(clone(nothing, stack + sizeof(stack), kinds[i] | SIGCHLD, NULL));
		struct clone_args args = { .flags = kinds[i], .exit_signal = SIGCHLD };
		long pid = syscall(SYS_clone3, &args, sizeof(args));
		if (pid == 0)
			_exit(0);
		if (pid > 0)
			BROKE("clone3 made a namespace");
	}
	static const char *const spaces[] = { "user", "mnt", "pid", "net", "uts", "ipc" };
	for (unsigned i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
		char name[64];
		snprintf(name, sizeof(name), "/proc/1/ns/%s", spaces[i]);
		int fd = open(name, O_RDONLY);
		if (fd < 0)
			HELD("%s: %s", name, strerrorname_np(errno));
		else
			MUST_FAIL(setns(fd, 0));
	}
	MUST_FAIL(mount("none", "/tmp", "tmpfs", 0, NULL));
	MUST_FAIL(mount("/", "/tmp", NULL, MS_BIND | MS_REC, NULL));
	MUST_FAIL(mount(NULL, "/", NULL, MS_REMOUNT, NULL));
	MUST_FAIL(umount2("/proc", MNT_DETACH));
	MUST_FAIL(umount2("/tmp", MNT_DETACH));
	MUST_FAIL(chroot("/tmp"));
	MUST_FAIL(syscall(SYS_pivot_root, "/tmp", "/tmp"));
	MUST_FAIL(syscall(SYS_open_tree, AT_FDCWD, "/", 1));
	MUST_FAIL(syscall(SYS_fsopen, "tmpfs", 0));
	MUST_FAIL(syscall(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/", 0));
	MUST_FAIL(setuid(0));
	MUST_FAIL(setgid(0));
	MUST_FAIL(setgroups(0, NULL));
	MUST_FAIL(sethostname("x", 1));
	MUST_FAIL(setdomainname("x", 1));
	return 0;
}
