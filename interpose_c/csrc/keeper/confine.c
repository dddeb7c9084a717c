/* Capabilities, no-new-privileges, Landlock, and the door to user namespaces.
 *
 * Owns: their order. Applied in PID 1 before the job is born, so that what
 * guards the job is guarded too: PID 1 keeps no privilege to be tricked out of.
 *
 * Landlock has no file rules here. The mirror holds nothing but the job's, the
 * rest is mounted read-only; a rule for "/" would only add a walk to each open.
 * It scopes signals and abstract sockets, which matters with the host's network.
 * TCP rules would forbid the job its own loopback and add nothing in an own
 * network namespace.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LANDLOCK_VERSION 1u /* flag of landlock_create_ruleset */
#define LANDLOCK_SCOPES 3u  /* abstract unix sockets, signals: ABI 6 */
#define SCOPING_ABI 6

struct ruleset { /* struct landlock_ruleset_attr as of ABI 6; Debian 12's header is older */
	uint64_t fs, net, scoped;
};

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2];
	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			break;
	unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
			     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
			     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0))
		hp_die(errno, "locking the secure bits");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	memset(none, 0, sizeof none);
	if (syscall(SYS_capset, &header, none))
		hp_die(errno, "dropping capabilities");
	hp_protection("capabilities", true, NULL);
}

static void scope_with_landlock(void)
{
	char reason[32] = "not-in-this-kernel";
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	if (abi < SCOPING_ABI) {
		if (abi > 0)
			snprintf(reason, sizeof reason, "abi-%ld", abi);
		hp_protection("landlock", false, reason);
		return;
	}
	struct ruleset rules = { 0, 0, LANDLOCK_SCOPES };
	HP_AUTO_CLOSE int set = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
	if (set < 0 || syscall(SYS_landlock_restrict_self, set, 0)) {
		snprintf(reason, sizeof reason, "errno-%d", errno);
		hp_protection("landlock", false, reason);
		return;
	}
	snprintf(reason, sizeof reason, "abi-%ld", abi);
	hp_protection("landlock", true, reason);
}

int hp_signal_only_each_other(void)
{
	struct ruleset rules = { 0, 0, LANDLOCK_SCOPES };
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION) < SCOPING_ABI)
		return -ENOSYS;
	HP_AUTO_CLOSE int set = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
	return set < 0 || syscall(SYS_landlock_restrict_self, set, 0) ? -errno : 0;
}

static bool user_namespaces_are_closed(void)
{
	char text[8] = "";
	HP_AUTO_CLOSE int limit = open("/proc/sys/user/max_user_namespaces", O_RDONLY | O_CLOEXEC);
	return limit >= 0 && read(limit, text, sizeof text) > 0 && !strncmp(text, "0\n", 2);
}

bool hp_close_user_namespaces(void)
{
	if (user_namespaces_are_closed())
		return true;
	HP_AUTO_CLOSE int limit = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
	if (limit >= 0 && write(limit, "0", 1) == 1)
		return true;
	return false;
}

void hp_confine(bool user_namespaces_closed)
{
	drop_capabilities();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		hp_die(errno, "no new privileges");
	hp_protection("no_new_privs", true, NULL);
	scope_with_landlock();
	int failed = hp_filter_install(user_namespaces_closed);
	if (failed)
		hp_die(-failed, "installing the seccomp filter");
	hp_protection("seccomp", true, NULL);
}
