/* Attributes of one object, and what the user himself may do with it. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define OVERFLOW_UID 65534u /* an owner that this user namespace does not map */

static bool has_override(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2] = { 0 };

	if (syscall(SYS_capget, &head, sets) != 0)
		return false;
	return (sets[0].effective >> CAP_DAC_OVERRIDE) & 1;
}

int hp_user_init(struct hp_user *user)
{
	int count = getgroups(0, NULL);

	if (count < 0)
		return -errno;
	user->groups = calloc((size_t)count + 1, sizeof(gid_t));
	if (user->groups == NULL)
		return -ENOMEM;
	count = getgroups(count, user->groups);
	if (count < 0)
		return -errno;
	user->groups[count] = getegid();
	user->ngroups = count + 1;
	user->uid = geteuid();
	user->is_root = user->uid == 0;
	user->overrides = has_override();
	return 0;
}

void hp_user_free(struct hp_user *user)
{
	free(user->groups);
}

bool hp_user_may(int fd, const char *name, int access)
{
	int flags = AT_EACCESS | AT_SYMLINK_NOFOLLOW | (name[0] == 0 ? AT_EMPTY_PATH : 0);

	return syscall(SYS_faccessat2, fd, name, access, flags) == 0;
}

static bool in_group(const struct hp_user *user, uint32_t gid)
{
	for (int i = 0; i < user->ngroups; i++)
		if (user->groups[i] == gid)
			return true;
	return false;
}

/* The mode decides for the owner. For others an ACL may say less than the mode, or
 * more, up to the group's bits: ask the kernel, once where it confirms the mode. */
static uint32_t user_access(const struct hp_user *user, int fd, const char *name, uint32_t mode, uint32_t uid,
			    uint32_t gid)
{
	uint32_t group = (mode >> 3) & 7u, guess, doubt;

	if (S_ISLNK(mode))
		return R_OK | W_OK | X_OK;
	if (user->overrides && uid != OVERFLOW_UID)
		return R_OK | W_OK | (S_ISDIR(mode) || (mode & 0111) ? X_OK : 0);
	if (uid == user->uid)
		return (mode >> 6) & 7u;
	guess = in_group(user, gid) ? group : mode & 7u;
	doubt = guess | group;
	if (guess != 0 && hp_user_may(fd, name, (int)guess))
		doubt &= ~guess;
	else
		guess = 0;
	for (uint32_t bit = 1; bit <= 4; bit <<= 1)
		if ((doubt & bit) && hp_user_may(fd, name, (int)bit))
			guess |= bit;
	return guess;
}

int hp_attr_read(hp_home *home, int fd, const char *name, struct hpw_attr *attr)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] == 0 ? AT_EMPTY_PATH : 0);
	struct statx stx;

	if (statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &stx) != 0)
		return errno;
	*attr = (struct hpw_attr){
		.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.ino = stx.stx_ino,
		.nlink = stx.stx_nlink,
		.mode = stx.stx_mode,
		.uid = stx.stx_uid,
		.gid = stx.stx_gid,
		.rdev = makedev(stx.stx_rdev_major, stx.stx_rdev_minor),
		.size = stx.stx_size,
		.blocks = stx.stx_blocks,
		.blksize = stx.stx_blksize,
		.atime_s = stx.stx_atime.tv_sec,
		.mtime_s = stx.stx_mtime.tv_sec,
		.ctime_s = stx.stx_ctime.tv_sec,
		.atime_ns = stx.stx_atime.tv_nsec,
		.mtime_ns = stx.stx_mtime.tv_nsec,
		.ctime_ns = stx.stx_ctime.tv_nsec,
	};
	attr->nlink -= hp_undo_links(home, attr->dev, attr->ino);
	if (stx.stx_mask & STATX_BTIME) {
		attr->btime_s = stx.stx_btime.tv_sec;
		attr->btime_ns = stx.stx_btime.tv_nsec;
	}
	attr->access = user_access(&home->user, fd, name, attr->mode, attr->uid, attr->gid);
	if (stx.stx_attributes & STATX_ATTR_IMMUTABLE)
		attr->access &= ~(uint32_t)W_OK;
	if (!(stx.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)))
		attr->sure = HPW_SURE_CHANGES | (home->user.overrides ? HPW_SURE_ANY_MODE : 0);
	return 0;
}

void hp_attr_limit(hp_home *home, int fd, const char *name, uint32_t share, struct hpw_attr *attr)
{
	if (share != HP_SHARE_RW || hp_home_device(home, fd, name, attr->dev) != HP_DEVICE_SURE)
		attr->sure = 0;
	if (share == HP_SHARE_HIDE) {
		attr->access = 0;
	} else if (S_ISLNK(attr->mode)) {
		return;
	} else if (share == HP_SHARE_RO) {
		attr->access &= ~(uint32_t)W_OK;
	} else if ((attr->access & W_OK) && !hp_user_may(fd, name, W_OK)) {
		attr->access &= ~(uint32_t)W_OK; /* the file system is read-only */
	}
	if (!(attr->access & W_OK))
		attr->sure = 0; /* of what may not be written nobody has asked whether its file system is read-only */
}
